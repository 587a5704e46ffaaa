"""Where things stand in an environment: one byte for the kind, then what orders it.

    F                   store format          P                   position
    N                   totals                d folded id         document
    e etag              folded id of the document with that etag
    t etag              tombstone             u folded id         etag of its latest tombstone
    c folded name       collection            x folded key        compare-exchange value
    i folded name       identity              y time, folded key  value that expires then
    a request id        answer
    b sequence          request id answered
    r folded name       database record       k folder            folder a soft delete left
    m tag               member                M                   last change of membership
    s                   client configuration of the server
    n folded name       index                 o         last change of an index
    q name              sequence              h sequence, ordinal  numbers of it, and who has them
    l sequence, token   reservation           w time, sequence, ordinal  reservation that ends then
    z sequence          deleted sequence, whose rows go bit by bit

Etags and sequences are 8 bytes, big-endian, so byte order is their order. LMDB takes keys of up to
511 bytes, ids may be longer: a text of more than `HEAD_BYTES` is cut there and told apart by a
digest of the whole. Such keys are longer than all others, so they stand directly behind the text
they begin with, and only among themselves out of order: `scan_text` puts that right.
"""

import struct
from collections.abc import Callable, Iterator
from hashlib import blake2b

from quoth_cluster.store.environment import KEY_BYTES_MAX, ReadTxn

STORE = b"F"
POSITION = b"P"
TOTALS = b"N"
MEMBERS_CHANGED = b"M"
CLIENT_CONFIGURATION = b"s"

DOCUMENTS = b"d"
DOCUMENTS_AT_ETAG = b"e"
TOMBSTONES = b"t"
TOMBSTONES_OF_ID = b"u"
COLLECTIONS = b"c"
COMPARE_EXCHANGE = b"x"
EXPIRIES = b"y"
IDENTITIES = b"i"
ANSWERS = b"a"
ANSWERED = b"b"
DATABASES = b"r"
LEFT_FOLDERS = b"k"
MEMBERS = b"m"
INDEXES = b"n"
INDEXES_CHANGED = b"o"
SEQUENCES = b"q"
NUMBERS = b"h"
RESERVATIONS = b"l"
RESERVATIONS_DUE = b"w"
SEQUENCES_LEFT = b"z"

HEAD_BYTES = 448
DIGEST_BYTES = 32
NUMBER_BYTES = 8
assert 1 + NUMBER_BYTES + HEAD_BYTES + DIGEST_BYTES <= KEY_BYTES_MAX

_NUMBER = struct.Struct(">Q")


def fold_text(text: str) -> str:
    """How ids, keys and names are compared: lower-cased, each character by itself.

    So the folded beginning of a text is the beginning of the folded text, which `str.lower` does
    not give for a Greek sigma.
    """
    return text.lower() if text.isascii() else "".join(map(str.lower, text))


def fold(text: str) -> bytes:
    """The folded text in UTF-8."""
    return fold_text(text).encode()


def of_text(kind: bytes, text: bytes) -> bytes:
    """The key of a text within its kind."""
    if len(text) <= HEAD_BYTES:
        return kind + text
    return kind + text[:HEAD_BYTES] + blake2b(text, digest_size=DIGEST_BYTES).digest()


def of_number(kind: bytes, number: int) -> bytes:
    """The key of an etag or sequence within its kind."""
    return kind + _NUMBER.pack(number)


def of_number_and_text(kind: bytes, number: int, text: bytes) -> bytes:
    """The key of a text within its kind, ordered by a number first."""
    return of_text(of_number(kind, number), text)


def leading_number_of(key: bytes) -> int:
    """The number that a key of `of_number_and_text` begins with."""
    number: int = _NUMBER.unpack_from(key, 1)[0]
    return number


def of_numbers(kind: bytes, *numbers: int) -> bytes:
    """The key of some numbers within its kind, ordered by the first of them, then the next."""
    return kind + b"".join(map(_NUMBER.pack, numbers))


def numbers_of(key: bytes) -> tuple[int, ...]:
    """The numbers in a key of `of_numbers`."""
    return tuple(number for (number,) in _NUMBER.iter_unpack(key[1:]))


def number_of(key: bytes) -> int:
    """The etag or sequence in a key."""
    assert len(key) == 1 + _NUMBER.size, "the key of a number"
    number: int = _NUMBER.unpack_from(key, 1)[0]
    return number


def scan_text(
    txn: ReadTxn,
    kind: bytes,
    prefix: bytes,
    *,
    after: bytes | None = None,
    text_of: Callable[[bytes], bytes],
) -> Iterator[bytes]:
    """Values whose text begins with `prefix` and comes behind `after`, in the order of the texts.

    `text_of` finds the text in a value. Cut texts that share a head are in memory together.
    """
    start = max(prefix, after or b"")[:HEAD_BYTES]
    same_head: list[tuple[bytes, bytes]] = []
    head = b""
    for key, value in txn.scan(kind + prefix[:HEAD_BYTES], start=kind + start):
        is_cut = len(key) > 1 + HEAD_BYTES
        if same_head and not (is_cut and key.startswith(head)):
            yield from _in_order(same_head)
            same_head = []
        text = text_of(value) if is_cut else key[1:]
        if not text.startswith(prefix) or (after is not None and text <= after):
            continue
        if is_cut:
            head = key[: 1 + HEAD_BYTES]
            same_head.append((text, value))
        else:
            yield value
    yield from _in_order(same_head)


def _in_order(rows: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    return (value for _, value in sorted(rows))
