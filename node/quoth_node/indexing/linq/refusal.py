"""Why a definition is not taken."""


class DefinitionRefused(Exception):
    """A definition that cannot be compiled; nothing of it is kept.

    Line and column begin at 1, and count within the map, the reduce or the source they are in.
    """

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.message = message
        self.line = line
        self.column = column
