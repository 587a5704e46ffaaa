"""The ordered map, its keys and the envelope of its values."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_cluster import answers
from quoth_cluster.answers import Answers
from quoth_cluster.change_vector import guard_index_in
from quoth_cluster.errors import CorruptFile, Fatal, MalformedValue, NewerFormat, NotReadable
from quoth_cluster.outcomes import IdentityValue, Refusal, Refused
from quoth_cluster.store import keys
from quoth_cluster.store.environment import Closed, Environment
from quoth_cluster.store.schema import Layout
from tests.unit.state.story import STEADY


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    environment = Environment.open(tmp_path / "deep" / "env", map_bytes=2**24)
    yield environment
    environment.close()


def test_a_block_that_fails_changes_nothing(environment: Environment) -> None:
    with environment.write() as txn:
        txn.put(b"a", b"1")
    with pytest.raises(ValueError, match="stop"), environment.write() as txn:
        txn.put(b"a", b"2")
        raise ValueError("stop")
    with environment.read() as reader:
        assert reader.get(b"a") == b"1"


def test_a_draft_is_kept_or_thrown_away(environment: Environment) -> None:
    with environment.write() as txn:
        txn.put(b"a", b"1")
        draft = txn.draft()
        draft.put(b"b", b"2")
        assert draft.get(b"a") == b"1"
        draft.commit()
        draft = txn.draft()
        draft.delete(b"a")
        draft.put(b"c", b"3")
        draft.abort()
    with environment.read() as reader:
        assert dict(reader.scan(b"")) == {b"a": b"1", b"b": b"2"}


def test_an_unfinished_creation_is_begun_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "env.unfinished"
    unfinished.mkdir()
    (unfinished / "data.mdb").write_bytes(b"half a page")
    environment = Environment.open(tmp_path / "env", map_bytes=2**20)
    environment.close()
    assert not unfinished.exists()


def test_what_is_no_environment_is_fatal_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "data.mdb").write_bytes(b"x" * 8192)
    with pytest.raises(Fatal, match=str(folder)):
        Environment.open(folder, map_bytes=2**20)
    (tmp_path / "file").touch()
    with pytest.raises(Fatal, match=f"{tmp_path}/file/env"):
        Environment.open(tmp_path / "file" / "env", map_bytes=2**20)


def test_closing_waits_for_the_last_reader(environment: Environment) -> None:
    with environment.write() as txn:
        txn.put(b"a", b"1")
    with environment.read() as reader:
        environment.close()
        environment.close()
        assert reader.get(b"a") == b"1"
    with pytest.raises(Closed), environment.read():
        pass
    with pytest.raises(Closed):
        environment.begin()


BYTES = st.binary(max_size=3).map(lambda key: key.replace(b"\x7f", b"\xff"))
KEYS = st.one_of(BYTES, st.binary(max_size=2).map(lambda key: b"\xff" + key)).filter(len)


@settings(STEADY, max_examples=150)
@given(st.sets(KEYS, max_size=12), BYTES, BYTES, st.booleans(), st.booleans())
def test_a_scan_is_a_sorted_list(
    environment: Environment,
    stored: set[bytes],
    prefix: bytes,
    rest: bytes,
    starts: bool,
    reverse: bool,
) -> None:
    with environment.write() as txn:
        for key in [key for key, _ in txn.scan(b"")]:
            txn.delete(key)
        for key in stored:
            txn.put(key, key)
        start = prefix + rest if starts else None
        found = [key for key, _ in txn.scan(prefix, start=start, reverse=reverse)]
    expected = sorted(key for key in stored if key.startswith(prefix))
    if start is not None:
        expected = [key for key in expected if (key <= start if reverse else key >= start)]
    assert found == (expected[::-1] if reverse else expected)


# Values

THING = Layout("thing", 2, 2)


def test_a_value_comes_back_as_it_was() -> None:
    assert THING.unpack(THING.pack("a", 5, raw=b"raw")) == (("a", 5), b"raw")


def test_a_newer_value_is_told_from_a_broken_one() -> None:
    with pytest.raises(NewerFormat, match="a stored thing has format 3, known is up to 2"):
        THING.unpack(Layout("thing", 3, 1).pack("a"))
    with pytest.raises(NewerFormat, match="has 3 fields, not 2"):
        THING.unpack(Layout("thing", 2, 3).pack("a", 5, 6))
    with pytest.raises(MalformedValue, match="lacks fields"):
        THING.unpack(Layout("thing", 2, 1).pack("a"))


@STEADY
@given(st.data())
def test_no_flipped_bit_goes_unnoticed(data: st.DataObject) -> None:
    value = bytearray(THING.pack("a", 5, raw=b"raw"))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CorruptFile):
        THING.unpack(bytes(value))


@STEADY
@given(st.integers(0, 20))
def test_no_cut_goes_unnoticed(kept: int) -> None:
    value = THING.pack("a", 5, raw=b"raw")
    with pytest.raises(CorruptFile):
        THING.unpack(value[: min(kept, len(value) - 1)])


# What needs many, or any text


def test_only_the_last_answers_are_kept(environment: Environment) -> None:
    with environment.write() as txn:
        for number in range(1, 8):
            outcome = IdentityValue(number)
            Answers(txn).remember(f"r{number}", kind="NextIdentity", outcome=outcome, answers_max=3)
        kept = [
            number
            for number in range(1, 8)
            if answers.recall(txn, f"r{number}", kind="NextIdentity") == IdentityValue(number)
        ]
        assert kept == [5, 6, 7]
        assert len(list(txn.scan(b""))) == 6


def test_answers_are_let_go_by_their_bytes_too(environment: Environment) -> None:
    def kept() -> list[int]:
        ids = ((number, f"r{number}") for number in range(20))
        return [at for at, name in ids if answers.recall(txn, name, kind="Put") is not None]

    def remember(number: int, size: int) -> None:
        outcome = Refused(Refusal.INVALID, "x" * size)
        Answers(txn).remember(f"r{number}", kind="Put", outcome=outcome, bytes_max=1_000)

    with environment.write() as txn:
        for number in range(12):
            remember(number, 150)
        small = kept()
        assert small == list(range(small[0], 12)) and 6 <= len(small) <= 7
        remember(12, 5_000)
        assert kept() == [12], "the newest is kept, however large it is"
        remember(13, 10)
        assert kept() == [12, 13], "and the oldest does not count"
        remember(14, 5_000)
        assert kept() == [14]


def test_answers_of_the_first_format_are_let_go_like_others(environment: Environment) -> None:
    first = Layout("answered request", 1, 1)
    with environment.write() as txn:
        for number in (1, 2, 3):
            outcome = IdentityValue(number)
            Answers(txn).remember(f"r{number}", kind="NextIdentity", outcome=outcome)
            txn.put(keys.of_number(keys.ANSWERED, number), first.pack(f"r{number}"))
        refused = Refused(Refusal.INVALID, "x" * 500)
        Answers(txn).remember("r4", kind="NextIdentity", outcome=refused, bytes_max=1_000)
        assert answers.recall(txn, "r1", kind="NextIdentity") == IdentityValue(1)
        Answers(txn).remember("r5", kind="NextIdentity", outcome=refused, bytes_max=1_000)
        names = [f"r{number}" for number in range(1, 6)]
        found = [answers.recall(txn, name, kind="NextIdentity") for name in names]
        assert found == [None, None, None, refused, refused]


@STEADY
@given(st.text() | st.from_regex(r"(, ?|TRXN:[0-9]{0,30}-?id|RAFT:1-t)*", fullmatch=True))
def test_a_guard_index_is_read_from_any_text(change_vector: str) -> None:
    index = guard_index_in(change_vector, "id")
    assert index is None or (0 <= index < 10**18 and "TRXN:" in change_vector)


def test_a_guard_index_is_that_of_this_database() -> None:
    assert guard_index_in("RAFT:5-t,TRXN:88-a+/b", "a+/b") == 88
    assert guard_index_in("A:5-t, TRXN:7-other, TRXN:88-id, RAFT:3-t", "id") == 88
    assert guard_index_in("A:5-t", "id") is guard_index_in(None, "id") is None
    assert guard_index_in("TRXN:88", "id") is None


def test_one_snapshot_too_many_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quoth_cluster.store.environment.READERS_MAX", 3)
    environment = Environment.open(tmp_path / "env", map_bytes=2**20)
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(environment.read())
        with pytest.raises(NotReadable, match="3 snapshots"):
            held.enter_context(environment.read())
    with environment.write() as txn:
        txn.put(b"a", b"it goes on")
    with environment.read() as snapshot:
        assert snapshot.get(b"a") == b"it goes on"
    environment.close()
