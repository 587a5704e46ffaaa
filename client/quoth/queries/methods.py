"""Values that the server finds while it answers: the time, and compare-exchange values."""

from collections.abc import Callable
from dataclasses import dataclass

from quoth.queries.fields import written


@dataclass(frozen=True, slots=True)
class MethodCall:
    """A call in the place of a value. Made by RavenDocumentQuery."""

    name: str
    args: tuple[object, ...] = ()
    access_path: str | None = None

    def text(self, add_parameter: Callable[[object], str]) -> str:
        """How RQL says it."""
        arguments = ",".join(add_parameter(each) for each in self.args)
        path = "" if self.access_path is None else f"..{written(self.access_path)}"
        return f"{self.name}({arguments}){path}"


class RavenDocumentQuery:
    """Values that the server finds: `where_less_than("due", RavenDocumentQuery.now())`."""

    @staticmethod
    def now(offset: str | None = None) -> MethodCall:
        """The time of the query; `offset` is added to it."""
        return MethodCall("now", () if offset is None else (offset,))

    @staticmethod
    def today() -> MethodCall:
        """The day of the query."""
        return MethodCall("today")

    @staticmethod
    def cmp_xchg(key: str) -> MethodCall:
        """The compare-exchange value of a key."""
        return MethodCall("cmpxchg", (key,))
