"""How a stored value is laid out, and the list of all of them.

    crc32c (4) | format (1) | header length (4) | header: msgpack list | raw bytes

The checksum covers everything behind it. This envelope is for ever; what a layout keeps in header
and raw bytes may change with its format number. Numbers are big-endian. A value of a newer format,
or with more fields than known here, is named NewerFormat; one that fails its checksum CorruptFile.
A value of an older format is read with what its layout says of the fields it did not have yet.
"""

import struct
from dataclasses import dataclass
from typing import Any

import google_crc32c
import msgpack

from quoth_cluster.errors import CorruptFile, MalformedValue, NewerFormat

_CHECKSUM = struct.Struct(">I")
_HEAD = struct.Struct(">BI")
_HEADER_AT = _CHECKSUM.size + _HEAD.size
BUFFER_BYTES = 512  # to begin with; it grows


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of stored value."""

    what: str
    format: int
    fields: int
    # Per later format: what values of the formats before it have for the fields it added.
    added: tuple[tuple[int, tuple[Any, ...]], ...] = ()

    def pack(self, *header: Any, raw: bytes = b"") -> bytes:
        """The bytes of a value."""
        assert len(header) == self.fields, f"a {self.what} has {self.fields} fields"
        packed: bytes = msgpack.Packer(buf_size=BUFFER_BYTES).pack(header)
        rest = _HEAD.pack(self.format, len(packed)) + packed + raw
        checksum: int = google_crc32c.value(rest)
        return _CHECKSUM.pack(checksum) + rest

    def unpack(self, value: bytes) -> tuple[tuple[Any, ...], bytes]:
        """Header and raw bytes of a value.

        Raises CorruptFile, NewerFormat or MalformedValue.
        """
        if len(value) < _HEADER_AT:
            raise CorruptFile(f"a stored {self.what} is cut off at {len(value)} bytes")
        if google_crc32c.value(value[_CHECKSUM.size :]) != _CHECKSUM.unpack_from(value)[0]:
            raise CorruptFile(f"a stored {self.what} does not match its checksum")
        written_format, header_bytes = _HEAD.unpack_from(value, _CHECKSUM.size)
        if written_format > self.format:
            raise NewerFormat(
                f"a stored {self.what} has format {written_format}, known is up to {self.format}"
            )
        raw_at = _HEADER_AT + header_bytes
        return self._header(value[_HEADER_AT:raw_at], written_format), value[raw_at:]

    def format_of(self, value: bytes) -> int:
        """The format a value was written in, once `unpack` has read it."""
        written_format: int = _HEAD.unpack_from(value, _CHECKSUM.size)[0]
        return written_format

    def _header(self, packed: bytes, written_format: int) -> tuple[Any, ...]:
        try:
            header = msgpack.unpackb(packed, use_list=False)
        except (ValueError, msgpack.UnpackException) as error:
            raise MalformedValue(f"the header of a stored {self.what}: {error}") from error
        lacking: tuple[Any, ...] = ()
        if written_format < self.format:
            lacking = sum((more for later, more in self.added if written_format < later), ())
        fields = self.fields - len(lacking)
        if not isinstance(header, tuple) or len(header) < fields:
            raise MalformedValue(f"a stored {self.what} lacks fields")
        if len(header) > fields:
            raise NewerFormat(f"a stored {self.what} has {len(header)} fields, not {fields}")
        return header + lacking


# What is stored: name, format, number of header fields; the fields in order; the raw bytes.
# Format 2 of a store: it has the expiry times of its values, and sums per collection (upgrade.py).
STORE = Layout("store format", 2, 1)  # 'group' or 'database'
POSITION = Layout("position", 1, 2)  # log index, command index

# ... in the environment of a database
TOTALS = Layout("totals", 1, 6)  # see totals.py
DOCUMENT = Layout("document", 1, 7)
# id, change vector, etag, collection, time, flags, metadata JSON; raw: body JSON
DOCUMENT_AT_ETAG = Layout("document etag", 1, 0)  # raw: folded id
TOMBSTONE = Layout("tombstone", 1, 4)  # id, change vector, collection, time
TOMBSTONE_OF_ID = Layout("tombstone etag", 1, 1)  # etag
COLLECTION = Layout("collection", 2, 5, added=((2, (0, 0, 0)),))
# name, count, bytes of the documents, tombstones, bytes of those
COMPARE_EXCHANGE = Layout("compare-exchange value", 2, 3, added=((2, (None,)),))
# key, command index, when it expires in microseconds (None: never); raw: value JSON
EXPIRY = Layout("expiry", 1, 0)  # raw: folded key
IDENTITY = Layout("identity", 1, 2)  # name, latest number
INDEXES_CHANGED = Layout("last change of an index", 1, 1)  # command index
INDEX = Layout("index", 1, 8)
# name, kind, lock mode, priority, state, command indexes of its definition and of its making, time
# of its making; raw: definition JSON
SEQUENCE = Layout("sequence", 1, 7)
# name, number (nobody else's), initial value, reset value, how many numbers are taken,
# reserved, void
NUMBERS = Layout("number of a sequence", 1, 8)
# state, how many, time, holder or reason, path in the document, whether an array stands there,
# token and end of the reservation
RESERVATION = Layout("reservation", 1, 1)  # ordinal of its first number
RESERVATION_DUE = Layout("end of a reservation", 1, 1)  # name of the sequence
SEQUENCE_LEFT = Layout("deleted sequence", 1, 1)  # its name

# ... in both
ANSWER = Layout("answer", 1, 3)  # request id, kind of command, sequence; raw: outcome
ANSWERED = Layout("answered request", 2, 2, added=((2, (0,)),))
# request id; bytes of all answers up to this one since they are counted

# ... in the environment of the group
_NEVER_CHANGED = (0, False, "Unlock", b"", 0, (), False, 0, False, ())
DATABASE = Layout("database record", 2, 18, added=((2, _NEVER_CHANGED),))
# name, database id, topology id, cluster transaction id, time, command index, group, folder;
# index of the last change, disabled, lock mode, client configuration JSON and its index, order of
# the members, whether it is fixed, its index, dynamic distribution, unused ids; raw: settings JSON
CLIENT_CONFIGURATION = Layout("client configuration", 1, 1)  # command index; raw: JSON
LEFT_FOLDER = Layout("left folder", 1, 1)  # name of the database that was in it
MEMBER = Layout("member", 1, 4)  # tag, url, peer address, vote
MEMBERS_CHANGED = Layout("last change of membership", 1, 1)  # command index
