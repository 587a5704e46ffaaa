"""What a node and its indexer tell each other: a closed set of values, each behind its length.

The node says which databases there are and that something was applied; the indexer reads the rest
from the state itself, and says how far its indexes are. Commands with a ticket are answered by
`Done` once they hold.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from quoth_cluster.codec import Codec
from quoth_cluster.errors import MalformedValue
from quoth_cluster.indexes import IndexRecord
from quoth_node.indexing.mapping import FieldOptions

LENGTH = struct.Struct("!I")
FRAME_BYTES_MAX = 8 * 1_024 * 1_024  # a definition has 1 MiB at most


# To the indexer


@dataclass(frozen=True, slots=True)
class Source:
    """A database whose documents may be indexed."""

    folder: str
    name: str
    path: str  # of its environment
    map_bytes: int
    generation: int  # grows when another environment stands at the path
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """All databases that have indexes, or had some."""

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """Something may have changed. Answered by `Looked`."""

    hurries: bool  # somebody waits


@dataclass(frozen=True, slots=True)
class Pause:
    """Let all indexes of a database rest, or one, or go on."""

    ticket: int
    folder: str
    name: str | None
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """Build an index anew, from the beginning."""

    ticket: int
    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Let a changed definition take its place now, however far it has come."""

    ticket: int
    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class ClearErrors:
    """Forget the failures of indexes."""

    ticket: int
    folder: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """Compile a definition, to see whether it can be one. Answered by `Checked`."""

    ticket: int
    definition: bytes  # as `Definition.to_json` gives it

    @property
    def digest(self) -> str:
        """How it is named while it is worked on."""
        return blake2b(self.definition, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Condemn:
    """Leave a definition alone: to work on it has ended the indexer again and again."""

    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End after the batch at hand."""


# From the indexer


@dataclass(frozen=True, slots=True)
class FieldTold:
    """The options of one field."""

    name: str
    options: FieldOptions


@dataclass(frozen=True, slots=True)
class ShapeTold:
    """What an index is like; see `Shape`."""

    collections: tuple[str, ...]
    fields: tuple[FieldTold, ...]
    group_by: tuple[str, ...] | None
    references: tuple[str, ...]
    has_dynamic_fields: bool


@dataclass(frozen=True, slots=True)
class Serves:
    """An index that queries may ask, from now on; replaces what was told of it before."""

    folder: str  # of the database
    build: str  # folder of its file, within that of the database
    record: IndexRecord  # with the definition that it is built from
    shape: ShapeTold | None  # None: it does not compile
    error: str | None
    is_paused: bool
    document_etag: int
    tombstone_etag: int
    indexed_micros: int | None


@dataclass(frozen=True, slots=True)
class Defined:
    """The definitions as of `changed_at` are taken: there are these indexes, and no others."""

    folder: str
    changed_at: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advanced:
    """All changes up to here are in an index."""

    folder: str
    name: str
    document_etag: int
    tombstone_etag: int
    at_micros: int


@dataclass(frozen=True, slots=True)
class Works:
    """What the indexer is about to do: should it die, that was it. Empty digest: nothing."""

    digest: str = ""
    maps: bool = False  # documents; else it compiles the definition and opens the file


@dataclass(frozen=True, slots=True)
class Looked:
    """So many `Look` are answered: all that was applied before they were sent has been seen."""

    looks: int


@dataclass(frozen=True, slots=True)
class Done:
    """A command holds."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a definition; nothing if there is no message."""

    ticket: int
    message: str | None = None
    line: int = 1
    column: int = 1
    part: str = ""
    text: str = ""


TicketCommand = Pause | Reset | Replace | ClearErrors | Check
Command = Sources | Look | TicketCommand | Condemn | Stop
Report = Serves | Defined | Advanced | Works | Looked | Done | Checked

CODEC = Codec(
    {
        1: Source,
        2: Sources,
        3: Look,
        4: Pause,
        5: Reset,
        6: Replace,
        7: ClearErrors,
        8: Condemn,
        9: Stop,
        10: Check,
        20: FieldOptions,
        21: FieldTold,
        22: ShapeTold,
        23: IndexRecord,
        24: Serves,
        25: Defined,
        26: Advanced,
        27: Works,
        28: Looked,
        29: Done,
        30: Checked,
    }
)
COMMANDS = (Sources, Look, Pause, Reset, Replace, ClearErrors, Check, Condemn, Stop)
REPORTS = (Serves, Defined, Advanced, Works, Looked, Done, Checked)


def framed(message: Command | Report) -> bytes:
    """A message as it is sent."""
    body = CODEC.encode(message)
    assert len(body) <= FRAME_BYTES_MAX, "definitions have a limit"
    return LENGTH.pack(len(body)) + body


def command_in(body: bytes) -> Command:
    """What the node says. Raises MalformedValue or NewerFormat."""
    command: Command = CODEC.decode(body, COMMANDS)  # type: ignore[assignment]
    return command


def report_in(body: bytes) -> Report:
    """What the indexer says. Raises MalformedValue or NewerFormat."""
    report: Report = CODEC.decode(body, REPORTS)  # type: ignore[assignment]
    return report


class Frames:
    """Bytes as they come in, cut into the bodies of messages."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies that are whole by now. Raises MalformedValue."""
        self._pending += data
        while len(self._pending) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._pending)
            if length > FRAME_BYTES_MAX:
                raise MalformedValue(f"a message of {length} bytes")
            end = LENGTH.size + length
            if len(self._pending) < end:
                return
            body = bytes(self._pending[LENGTH.size : end])
            del self._pending[:end]
            yield body
