"""Why the definition of a static index is not taken."""


class DefinitionRefused(Exception):
    """A definition that cannot be compiled; nothing of it is kept.

    Line and column begin at 1, and count within the text that they are about.
    """

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.message = message
        self.line = line
        self.column = column
        self.part = "Maps"  # of the definition, by its name on the wire
        self.text = ""  # the map, the reduce or the source that it is in

    def about(self, part: str, text: str) -> "DefinitionRefused":
        """The same error; names what it is about."""
        self.part = part
        self.text = text
        return self
