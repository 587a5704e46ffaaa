"""The replicated commands of gapless sequences, but for the batch that takes numbers.

A number is taken when its command is applied: nobody holds a lock meanwhile. Numbers in `CLASSES`
are for ever, as those in `commands.py` are.
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SequenceUse:
    """A sequence as one command means it. It is made by the first who takes a number of it."""

    name: str
    initial_value: int | None = None  # None: whatever it has; 1 if it is new
    reset_value: int | None = None  # it goes back to the initial value instead of reaching this
    never_resets: bool = (
        False  # claims that there is no reset value; without it None claims nothing
    )


@dataclass(frozen=True, slots=True)
class NumberPlace:
    """Where a number is written: into a document that the batch puts, or into its id."""

    command: int  # which document command of the batch, from 0
    path: str | None = None  # a JSON pointer; None: in place of `{number}` in the id
    index: int | None = 0  # which number of the range; None: all of them, as an array


@dataclass(frozen=True, slots=True)
class TakeNumbers:
    """Take the next `count` numbers of a sequence into documents of the same batch.

    Made by `of`. Its parts lie side by side: a batch may have thousands of places, and every node
    unpacks each.
    """

    name: str
    count: int
    commands: tuple[int, ...]
    paths: tuple[str | None, ...]
    indexes: tuple[int | None, ...]
    initial_value: int | None = None
    reset_value: int | None = None
    never_resets: bool = False

    @classmethod
    def of(cls, use: SequenceUse, count: int, places: Collection[NumberPlace]) -> "TakeNumbers":
        """The command that takes numbers of `use` into `places`."""
        return cls(
            use.name,
            count,
            tuple(place.command for place in places),
            tuple(place.path for place in places),
            tuple(place.index for place in places),
            use.initial_value,
            use.reset_value,
            use.never_resets,
        )

    @property
    def use(self) -> SequenceUse:
        """The sequence that is meant."""
        return SequenceUse(self.name, self.initial_value, self.reset_value, self.never_resets)

    @property
    def places(self) -> list[NumberPlace]:
        """Where the numbers go; those that lack a part are none."""
        return list(map(NumberPlace, self.commands, self.paths, self.indexes))


@dataclass(frozen=True, slots=True)
class IssueNumbers:
    """Take numbers for somebody outside: they are gone, whatever becomes of who asked."""

    database: str
    use: SequenceUse
    count: int
    at_micros: int
    holder: str = ""  # who has them, for people
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReserveNumbers:
    """Take numbers for a while: to be confirmed, or released. What is neither becomes void."""

    database: str
    use: SequenceUse
    count: int
    at_micros: int
    until_micros: int
    holder: str = ""  # for whom, for people
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ConfirmNumbers:
    """Say who has the numbers of a reservation: a document, or somebody outside."""

    database: str
    name: str
    token: int
    at_micros: int
    holder: str  # the id of a document, or any text
    is_document: bool = False
    path: str | None = None  # where in the document the numbers stand
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseNumbers:
    """Say that the numbers of a reservation were not used."""

    database: str
    name: str
    token: int
    at_micros: int
    reason: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteSequence:
    """Forget a sequence and who holds its numbers; an unknown name is told, and is no error."""

    database: str
    name: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class TendSequences:
    """Void the reservations whose time had come at `at_micros`; remove what deletion left."""

    database: str
    at_micros: int
    request_id: str | None = None


SequenceCommand = (
    IssueNumbers | ReserveNumbers | ConfirmNumbers | ReleaseNumbers | DeleteSequence | TendSequences
)

CLASSES: dict[int, type] = {
    40: SequenceUse,
    42: TakeNumbers,
    44: IssueNumbers,
    45: ReserveNumbers,
    46: ConfirmNumbers,
    47: ReleaseNumbers,
    48: DeleteSequence,
    49: TendSequences,
}
