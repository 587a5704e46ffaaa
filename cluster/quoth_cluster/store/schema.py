"""How a stored value is laid out, and the list of all of them.

    crc32c (4) | format (1) | header length (4) | header: msgpack list | raw bytes

The checksum covers everything behind it. This envelope is for ever; what a layout keeps in header
and raw bytes may change with its format number. Numbers are big-endian. A value of a newer format,
or with more fields than known here, is named NewerFormat; one that fails its checksum CorruptFile.
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


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of stored value."""

    what: str
    format: int
    fields: int

    def pack(self, *header: Any, raw: bytes = b"") -> bytes:
        """The bytes of a value."""
        assert len(header) == self.fields, f"a {self.what} has {self.fields} fields"
        packed: bytes = msgpack.packb(header)
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
        return self._header(value[_HEADER_AT:raw_at]), value[raw_at:]

    def _header(self, packed: bytes) -> tuple[Any, ...]:
        try:
            header = msgpack.unpackb(packed, use_list=False)
        except (ValueError, msgpack.UnpackException) as error:
            raise MalformedValue(f"the header of a stored {self.what}: {error}") from error
        if not isinstance(header, tuple) or len(header) < self.fields:
            raise MalformedValue(f"a stored {self.what} lacks fields")
        if len(header) > self.fields:
            raise NewerFormat(f"a stored {self.what} has {len(header)} fields, not {self.fields}")
        return header


# What is stored: name, format, number of header fields; the fields in order; the raw bytes.
STORE = Layout("store format", 1, 1)  # 'group' or 'database'
POSITION = Layout("position", 1, 2)  # log index, command index

# ... in the environment of a database
TOTALS = Layout("totals", 1, 6)  # see totals.py
DOCUMENT = Layout("document", 1, 7)
# id, change vector, etag, collection, time, flags, metadata JSON; raw: body JSON
DOCUMENT_AT_ETAG = Layout("document etag", 1, 0)  # raw: folded id
TOMBSTONE = Layout("tombstone", 1, 4)  # id, change vector, collection, time
TOMBSTONE_OF_ID = Layout("tombstone etag", 1, 1)  # etag
COLLECTION = Layout("collection", 1, 2)  # name, count
COMPARE_EXCHANGE = Layout("compare-exchange value", 1, 2)  # key, command index; raw: value JSON
IDENTITY = Layout("identity", 1, 2)  # name, latest number

# ... in both
ANSWER = Layout("answer", 1, 3)  # request id, kind of command, sequence; raw: outcome
ANSWERED = Layout("answered request", 1, 1)  # request id

# ... in the environment of the group
DATABASE = Layout("database record", 1, 8)
# name, database id, topology id, cluster transaction id, time, command index, group, folder;
# raw: settings JSON
LEFT_FOLDER = Layout("left folder", 1, 1)  # name of the database that was in it
MEMBER = Layout("member", 1, 4)  # tag, url, peer address, vote
MEMBERS_CHANGED = Layout("last change of membership", 1, 1)  # command index
