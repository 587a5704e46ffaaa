"""What is wrong with an RQL text, and where."""

from quoth_node.rql.operands import Position

QUOTED_CHARACTERS_MAX = 1_000


class RqlError(Exception):
    """A text is no query. Line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column

    @classmethod
    def at(cls, position: Position, message: str) -> "RqlError":
        return cls(message, position.line, position.column)

    def told(self, text: str) -> str:
        """The whole of it for people: `1:17 Expected ...`, and the query below."""
        is_long = len(text) > QUOTED_CHARACTERS_MAX
        quoted = f"{text[:QUOTED_CHARACTERS_MAX]}..." if is_long else text
        return f"{self.line}:{self.column} {self.message}\nQuery: \n{quoted}"
