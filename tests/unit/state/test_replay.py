"""A crash at any moment, a replay from `position`, and the state is that of one who never crashed.

What a crash may leave (machine.py): each database in any state since it was last synced, and the
group before its last commit while the databases are behind it.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_cluster.commands import (
    ChangeCompareExchange,
    ChangeDatabase,
    CheckCollection,
    CheckCompareExchange,
    CheckDocument,
    CheckKeys,
    CheckPrefix,
    CheckSeparator,
    ClusterTransaction,
    Command,
    DeleteCompareExchange,
    DeleteDatabases,
    ExpireCompareExchange,
    LockDatabases,
    NextHiLo,
    NextIdentity,
    PutClientConfiguration,
    PutCompareExchange,
    ReturnHiLo,
    SaveBatch,
    SaveCheckedBatch,
    SaveNumbered,
    SeedIdentity,
    SerializableTransaction,
    TakeIndex,
    ToggleDatabases,
    encode,
)
from quoth_cluster.log import Change, LogEntry, Member, MembershipChange
from quoth_cluster.machine import Machine
from quoth_cluster.sequence_commands import (
    ConfirmNumbers,
    DeleteSequence,
    IssueNumbers,
    NumberPlace,
    ReleaseNumbers,
    ReserveNumbers,
    SequenceUse,
    TakeNumbers,
    TendSequences,
)
from quoth_cluster.store.environment import Environment
from tests.unit.state import numbering
from tests.unit.state.story import (
    AT,
    DATABASE_ID,
    MAP_BYTES,
    STEADY,
    TRANSACTION_ID,
    create,
    delete,
    dump,
    put,
)

Dump = dict[str, dict[bytes, bytes]]
Told = list[list[tuple[int, object]]]  # by entry: command index and outcome of each command

NAMES = st.sampled_from(["one", "Two"])
REQUEST_IDS = st.sampled_from([None, None, "r1", "r2", "r3"])
IDS = st.sampled_from(["users/1", "Users/2", "x" * 500, "orders/1"])
VECTORS = st.one_of(
    st.none(),
    st.just(""),
    st.integers(1, 12).map(lambda etag: f"A:{etag}-{DATABASE_ID}"),
    st.integers(1, 40).map(lambda index: f"RAFT:1-x,TRXN:{index}-{TRANSACTION_ID}"),
)
PUTS = st.one_of(
    st.builds(put, IDS, expected=VECTORS, collection=st.sampled_from(["Users", "Users", "Other"])),
    st.builds(put, IDS, original=VECTORS),
    st.builds(put, st.sampled_from(["users/", "users|"])),
)
DELETES = st.one_of(
    st.builds(delete, IDS, expected=VECTORS, original=VECTORS),
    st.builds(delete, st.sampled_from(["users", "x"]), prefixed=st.booleans()),
)
DOCUMENTS = st.lists(PUTS | DELETES, max_size=3).map(tuple)
EXPIRING = b'{"Object":1,"@metadata":{"@expires":"%b"}}'
VALUES = st.sampled_from([b"{}", EXPIRING % b"2023-11-14", EXPIRING % b"2023-11-15"])
CONFIGURATIONS = st.sampled_from([b"{}", b'{"IdentityPartsSeparator":"-"}', b"no configuration"])
CHANGES = st.one_of(
    st.builds(PutCompareExchange, st.sampled_from(["k", "l"]), st.integers(0, 40), VALUES),
    st.builds(DeleteCompareExchange, st.sampled_from(["k", "K"]), st.integers(0, 40)),
)
CHECKS = st.one_of(
    st.builds(CheckDocument, IDS, VECTORS.map(lambda vector: vector or "")),
    st.builds(CheckCompareExchange, st.just("k"), st.integers(0, 9)),
    st.builds(CheckSeparator, st.sampled_from("/-")),
)
READS = st.one_of(
    st.builds(CheckDocument, IDS, VECTORS.map(lambda vector: vector or "")),
    st.builds(CheckCompareExchange, st.just("k"), st.integers(0, 9)),
    st.builds(CheckKeys, st.sampled_from(["", "k"]), st.integers(-1, 2), st.integers(0, 9)),
    st.builds(CheckPrefix, st.sampled_from(["users/", "X", "none"])),
    st.builds(CheckCollection, st.sampled_from(["", "users", "Other"])),
)
USES = st.builds(
    SequenceUse,
    st.sampled_from(["s", "S"]),
    st.sampled_from([None, None, 1, 7]),
    st.sampled_from([None, None, 3]),
)
PLACES = st.builds(
    NumberPlace,
    st.integers(0, 1),
    st.sampled_from([None, "/n", "/n", "/m"]),
    st.sampled_from([0, 0, 1, None]),
)
TAKINGS = st.lists(
    st.builds(
        TakeNumbers.of, USES, st.sampled_from([1, 1, 2]), st.lists(PLACES, max_size=3)
    ),
    max_size=2,
).map(tuple)
NUMBERED = st.lists(PUTS | st.builds(put, st.just("n/{number}")) | DELETES, max_size=3).map(tuple)
SEQUENCES: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        SaveNumbered,
        st.builds(SaveBatch, NAMES, st.just(AT), st.just("A"), NUMBERED)
        | st.builds(
            ClusterTransaction, NAMES, st.just(AT), st.just("B"), NUMBERED, st.just(())
        ),
        TAKINGS,
        REQUEST_IDS,
    ),
    st.builds(IssueNumbers, NAMES, USES, st.integers(0, 2), st.just(AT), st.just("x"), REQUEST_IDS),
    st.builds(
        ReserveNumbers,
        *(NAMES, USES, st.integers(1, 2), st.just(AT), st.just(AT + 10**6), st.just("x")),
        REQUEST_IDS,
    ),
    st.builds(
        ConfirmNumbers, NAMES, st.just("s"), st.integers(1, 30), st.just(AT), st.just("users/1")
    ),
    st.builds(
        ReleaseNumbers, NAMES, st.just("s"), st.integers(1, 30), st.just(AT), st.just("why")
    ),
    st.builds(DeleteSequence, NAMES, st.sampled_from(["s", "S"])),
    st.builds(TendSequences, NAMES, st.sampled_from([AT, AT + 10**6])),
)
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(SaveBatch, NAMES, st.just(AT), st.just("A"), DOCUMENTS, REQUEST_IDS),
    st.builds(SaveBatch, NAMES, st.just(AT), st.just("A"), DOCUMENTS, REQUEST_IDS, st.booleans()),
    st.just(TakeIndex()),
    st.builds(
        SaveCheckedBatch,
        NAMES,
        st.just(AT),
        st.just("A"),
        st.lists(CHECKS, max_size=2).map(tuple),
        DOCUMENTS,
        REQUEST_IDS,
    ),
    st.builds(
        ClusterTransaction,
        NAMES,
        st.just(AT),
        st.just("B"),
        DOCUMENTS,
        st.lists(CHANGES, max_size=2).map(tuple),
        st.booleans(),
        REQUEST_IDS,
    ),
    st.builds(
        SerializableTransaction,
        NAMES,
        st.just(AT),
        st.just("A"),
        st.sampled_from(["", DATABASE_ID, DATABASE_ID]),
        st.integers(0, 6),
        st.lists(READS, max_size=2).map(tuple),
        DOCUMENTS,
        st.lists(CHANGES, max_size=2).map(tuple),
        REQUEST_IDS,
    ),
    st.builds(ChangeCompareExchange, NAMES, CHANGES, REQUEST_IDS),
    st.builds(NextIdentity, NAMES, st.sampled_from(["users", "orders|"]), REQUEST_IDS),
    st.builds(SeedIdentity, NAMES, st.just("users|"), st.integers(0, 9), st.booleans()),
    NAMES.map(lambda name: NextHiLo(name, "u", 32, None, 0, AT, "A")),
    NAMES.map(lambda name: ReturnHiLo(name, "u", 3, 32, AT, "B")),
    st.builds(create, NAMES, request_id=REQUEST_IDS),
    st.builds(DeleteDatabases, st.lists(NAMES, max_size=2).map(tuple), st.booleans(), REQUEST_IDS),
    st.builds(ExpireCompareExchange, NAMES, st.sampled_from([AT - 10**11, AT, AT + 10**11])),
    st.builds(ToggleDatabases, st.lists(NAMES, max_size=2).map(tuple), st.booleans(), REQUEST_IDS),
    st.builds(
        LockDatabases,
        st.lists(NAMES, max_size=2).map(tuple),
        st.sampled_from(["Unlock", "PreventDeletesIgnore", "PreventDeletesError"]),
        REQUEST_IDS,
    ),
    st.builds(
        ChangeDatabase,
        NAMES,
        expected_etag=st.none() | st.integers(1, 20),
        settings=st.none() | st.just(b'{"a":"b"}'),
        disabled=st.none() | st.just(False),
        client=st.none() | CONFIGURATIONS,
        members_order=st.none() | st.lists(st.sampled_from("ABC"), max_size=3).map(tuple),
        request_id=REQUEST_IDS,
    ),
    st.builds(PutClientConfiguration, CONFIGURATIONS, REQUEST_IDS),
    SEQUENCES,
    SEQUENCES,
)
MEMBERSHIP = st.builds(
    MembershipChange,
    st.sampled_from(list(Change)),
    st.builds(Member, st.sampled_from("ABC"), st.just("http://x"), st.just("x:1")),
)


@st.composite
def logs(draw: st.DrawFn) -> list[LogEntry]:
    """Entries of some commands each; some change the membership, some are empty."""
    first = LogEntry(1, 1, (encode(create("one")), encode(create("two"))))
    entries = [first]
    for log_index in range(2, draw(st.integers(2, 14))):
        if draw(st.integers(0, 9)) == 0:
            entries.append(LogEntry(log_index, 1, (), draw(MEMBERSHIP)))
        else:
            commands = draw(st.lists(COMMANDS, max_size=3))
            entries.append(LogEntry(log_index, 1, tuple(map(encode, commands))))
    return entries


@dataclass
class Disk:
    """What a power cut may leave of a machine's folder."""

    folder: Path
    possible: dict[str, list[bytes]] = field(default_factory=dict)  # database files since a sync

    def note(self) -> None:
        """Remember the files as they are now."""
        for path in (self.folder / "databases").glob("*/data.mdb"):
            self.possible.setdefault(path.parent.name, []).append(path.read_bytes())

    @contextmanager
    def watching_syncs(self) -> Iterator[None]:
        """Forget what a file was before it is synced."""
        sync = Environment.sync

        def watched(environment: Environment) -> None:
            sync(environment)
            data = (environment.path / "data.mdb").read_bytes()
            self.possible[environment.path.name] = [data]

        with mock.patch.object(Environment, "sync", watched):
            yield

    def lose_power(self, draw: st.DataObject) -> None:
        """Put each database back to some state it had since it was last synced."""
        for path in sorted((self.folder / "databases").glob("*/data.mdb")):
            state = draw.draw(st.sampled_from(self.possible[path.parent.name]))
            path.write_bytes(state)

    def undo_group_commit(self, before: Path) -> None:
        """As if the power had failed after the databases committed and before the group did."""
        shutil.copy(before / "group" / "data.mdb", self.folder / "group" / "data.mdb")
        for path in (before / "databases").iterdir():
            if not (self.folder / "databases" / path.name).exists():
                shutil.copytree(path, self.folder / "databases" / path.name)


@contextmanager
def fresh_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def open_machine(folder: Path) -> Machine:
    return Machine.open(folder, map_bytes=MAP_BYTES)


def behind(machine: Machine, log: list[LogEntry]) -> list[LogEntry]:
    return [entry for entry in log if entry.log_index > machine.applied.log_index]


def uninterrupted(log: list[LogEntry]) -> tuple[Dump, Told]:
    """The dump and the outcomes of one who applies entry by entry and never crashes."""
    with fresh_folder() as folder:
        machine = open_machine(folder)
        outcomes: Told = []
        for entry in log:
            (stepped,) = machine.apply([entry])
            outcomes.append([(one.command_index, one.outcome) for one in stepped])
        machine.checkpoint()
        for database in machine.open_databases():
            with database.read() as txn:
                numbering.check(txn)
        result = dump(machine)
        machine.close()
    return result, outcomes


@settings(STEADY, max_examples=60)
@given(log=logs(), data=st.data())
def test_a_crash_anywhere_is_made_good_by_replay(log: list[LogEntry], data: st.DataObject) -> None:
    expected, expected_outcomes = uninterrupted(log)
    with fresh_folder() as folder, fresh_folder() as before:
        disk = Disk(folder)
        with disk.watching_syncs():
            crash_and_replay(log, data, disk, before, expected_outcomes)
        machine = open_machine(folder)
        assert machine.position.log_index == log[-1].log_index
        assert dump(machine) == expected
        machine.close()


def crash_and_replay(
    log: list[LogEntry], data: st.DataObject, disk: Disk, before: Path, expected: Told
) -> None:
    """Apply the log up to its end and a checkpoint, with crashes in between."""
    folder, machine, crashes = disk.folder, open_machine(disk.folder), 0
    while entries := behind(machine, log)[: data.draw(st.integers(1, 4))]:
        shutil.copytree(folder, before, dirs_exist_ok=True)
        for entry, stepped in zip(entries, machine.apply(entries), strict=True):
            told = expected[entry.log_index - 1]
            for (command_index, outcome), one in zip(told, stepped, strict=True):
                assert one.command_index == command_index
                assert one.outcome == outcome or (crashes and one.outcome is None)
        disk.note()
        if data.draw(st.booleans()):
            machine.checkpoint()
            assert machine.position == machine.applied
        what = data.draw(st.sampled_from(["go on", "power cut", "mid commit"]))
        if what in ("power cut", "mid commit") and crashes < 4:
            crashes += 1
            position = machine.position
            machine.close()
            if what == "power cut":
                disk.lose_power(data)
            else:
                disk.undo_group_commit(before)
            machine = open_machine(folder)
            assert what == "mid commit" or machine.position == position
            disk.possible.clear()
            disk.note()
        shutil.rmtree(before)
    machine.checkpoint()
    machine.close()


@settings(STEADY, max_examples=40)
@given(log=logs(), cuts=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_how_entries_are_grouped_makes_no_difference(log: list[LogEntry], cuts: list[int]) -> None:
    expected, expected_outcomes = uninterrupted(log)
    with fresh_folder() as folder:
        machine, outcomes, turn = open_machine(folder), Told(), 0
        while entries := behind(machine, log)[: cuts[turn % len(cuts)]]:
            turn += 1
            for stepped in machine.apply(entries):
                outcomes.append([(one.command_index, one.outcome) for one in stepped])
        machine.checkpoint()
        assert dump(machine) == expected and outcomes == expected_outcomes
        machine.close()


def test_the_position_is_what_survives() -> None:
    batch = encode(SaveBatch("one", AT, "A", (put("users/1"),)))
    with fresh_folder() as folder:
        machine = open_machine(folder)
        machine.apply([LogEntry(1, 1, (encode(create("one")),))])
        assert machine.position == machine.applied
        machine.apply([LogEntry(2, 1, (batch, batch)), LogEntry(3, 2)])
        assert (machine.position.log_index, machine.position.command_index) == (1, 1)
        assert (machine.applied.log_index, machine.applied.command_index) == (3, 3)
        machine.close()

        machine = open_machine(folder)
        assert machine.position == machine.applied and machine.position.log_index == 1
        ((first, second), nothing) = machine.apply([LogEntry(2, 1, (batch, batch)), LogEntry(3, 2)])
        assert (first.outcome, second.command_index, nothing) == (None, 3, ())
        machine.checkpoint()
        machine.close()

        machine = open_machine(folder)
        assert (machine.position.log_index, machine.position.command_index) == (3, 3)
        machine.close()
