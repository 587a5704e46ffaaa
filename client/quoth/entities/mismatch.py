"""The error of a value that does not fit; it collects the path to its place while it rises."""

PATH_PARTS_MAX = 8


class Mismatch(Exception):
    """A value is not what is wanted of it. The door turns it into the WrongType that users see."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.path: list[str] = []  # from the inside out

    def at(self, place: str) -> "Mismatch":
        """The same, one step further out."""
        self.path.append(place)
        return self

    def __str__(self) -> str:
        if not self.path:
            return self.why
        parts = self.path[::-1]
        if len(parts) > PATH_PARTS_MAX:
            parts = [*parts[:PATH_PARTS_MAX], "..."]
        path = ".".join(parts).replace(".[", "[")
        return f"field {path!r}: {self.why}"


def expected(what: str, value: object) -> Mismatch:
    """The mismatch of a value that should have been something else."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Mismatch(f"expected {what}, found {type(value).__name__} {shown}")
