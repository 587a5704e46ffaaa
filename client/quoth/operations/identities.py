"""Identities: series of numbers of the whole cluster. A number is never given twice."""

from dataclasses import dataclass

from quoth.commands import Reply, WireRequest
from quoth.operations.checks import check_name, check_number
from quoth.operations.kinds import DatabaseRead, DatabaseWrite


@dataclass(frozen=True, slots=True)
class NextIdentityForOperation(DatabaseWrite):
    """Take the next number of a series: `companies|` -> 24.

    The name may end in a pipe or not.
    """

    name: str

    def __post_init__(self) -> None:
        check_name(self.name, "the name of an identity")

    def to_request(self) -> WireRequest:
        return WireRequest("POST", "/identity/next", (("name", self.name),))

    def read(self, reply: Reply) -> int:
        return int(reply.json()["NewIdentityValue"])


@dataclass(frozen=True, slots=True)
class SeedIdentityForOperation(DatabaseWrite):
    """Set the latest number of a series; a lower one only with `force_update`.

        latest = store.maintenance.send(SeedIdentityForOperation("companies|", 23))

    The name may end in a pipe or not. The result is the latest number afterwards: without force it
    is the higher of the two.
    """

    name: str
    value: int
    force_update: bool = False

    def __post_init__(self) -> None:
        check_name(self.name, "the name of an identity")
        check_number(self.value, "the value of an identity")

    def to_request(self) -> WireRequest:
        query = [("name", self.name), ("value", str(self.value))]
        if self.force_update:
            query.append(("force", "true"))
        return WireRequest("POST", "/identity/seed", tuple(query))

    def read(self, reply: Reply) -> int:
        return int(reply.json()["NewSeedValue"])


@dataclass(frozen=True, slots=True)
class GetIdentitiesOperation(DatabaseRead):
    """The latest number of every series, by name with its pipe."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/debug/identities")

    def read(self, reply: Reply) -> dict[str, int]:
        return {name: int(value) for name, value in reply.json().items()}
