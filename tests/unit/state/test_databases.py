"""Databases and members of the group, and the folders that databases leave behind."""

from dataclasses import replace
from pathlib import Path

import pytest

from quoth_cluster import databases, documents
from quoth_cluster.commands import (
    Command,
    CreateDatabase,
    DeleteDatabases,
    NextIdentity,
    SaveBatch,
    encode,
)
from quoth_cluster.database import Database
from quoth_cluster.errors import CorruptFile, Fatal, MalformedValue, NewerFormat
from quoth_cluster.log import Change, LogEntry, Member, MembershipChange
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import (
    BatchSaved,
    DatabaseCreated,
    DatabasesDeleted,
    IdentityValue,
    Refusal,
    Refused,
)
from quoth_cluster.store.environment import Closed
from quoth_cluster.store.schema import Layout
from tests.unit.state.story import AT, MAP_BYTES, Story, create, put


def folders(story: Story) -> set[str]:
    return {path.name for path in (story.folder / "databases").iterdir()}


def reopen(story: Story) -> None:
    """Stop and start; nothing is left to replay."""
    if story.machine.position != story.machine.applied:
        story.machine.checkpoint()
    story.machine.close()
    story.machine = Machine.open(story.folder, map_bytes=MAP_BYTES)


def the_database(story: Story, name: str) -> Database:
    database = story.machine.database(name)
    assert database is not None
    return database


def test_a_database_is_found_without_case_and_kept_with_it(story: Story) -> None:
    assert story.run(create("Golden")) == DatabaseCreated("Golden", 2)
    assert [record.name for record in story.machine.databases()] == ["db", "Golden"]
    assert the_database(story, "GOLDEN").record.command_index == 2
    assert story.machine.database("none") is None
    outcome = story.run(create("golden"))
    assert outcome == Refused(Refusal.DATABASE_EXISTS, "Database 'golden' already exists!")
    before = story.machine.databases()
    reopen(story)
    assert story.machine.databases() == before


def test_a_command_for_no_database_is_refused(story: Story) -> None:
    outcome = story.run(NextIdentity("no_such_db", "users"))
    assert outcome == Refused(Refusal.NO_DATABASE, "Database 'no_such_db' does not exist.")


def test_folders_are_not_named_by_users(story: Story) -> None:
    story.run(create("../../etc/passwd"))
    assert all(path.parent == story.folder / "databases" for path in story.folder.glob("*/*/"))
    assert len(folders(story)) == 2


@pytest.mark.parametrize(
    "command",
    [
        create(""),
        create("x" * 513),
        CreateDatabase("x", AT, "a/../b", "t", "c", b"{}"),
        CreateDatabase("x", AT, "i", "a, TRXN:1-b", "c", b"{}"),
        CreateDatabase("x", -1, "i", "t", "c", b"{}"),
    ],
)
def test_a_database_that_makes_no_sense_is_refused(story: Story, command: Command) -> None:
    outcome = story.run(command)
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.INVALID
    assert len(folders(story)) == 1


def test_a_deleted_database_is_gone_with_its_files(story: Story) -> None:
    story.run(create("Two"))
    outcome = story.run(DeleteDatabases(("two", "none", "DB", "db"), hard=True))
    assert outcome == DatabasesDeleted(("Two", "db"), 3)
    assert story.machine.databases() == [] and folders(story) == set()
    assert isinstance(story.run(create("two")), DatabaseCreated)
    reopen(story)
    assert [record.name for record in story.machine.databases()] == ["two"]


def test_files_go_only_after_the_deletion_is_durable(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Fatal("the power failed")

    monkeypatch.setattr("quoth_cluster.round.remove_folder", fail)
    left = folders(story)
    with pytest.raises(Fatal, match="the power failed"):
        story.run(DeleteDatabases(("db",), hard=True))
    assert folders(story) == left  # the group has committed, the files are still there
    reopen(story)
    assert story.machine.databases() == [] and folders(story) == set()


def test_a_creation_cut_off_before_its_commit_leaves_nothing(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = story.entry(create("two"))
    position = story.machine.position
    with monkeypatch.context() as patched:

        def fail(*_: object) -> None:
            raise Fatal("the power failed")

        patched.setattr("quoth_cluster.database.Database.make_durable", fail)
        with pytest.raises(Fatal):
            story.machine.apply([entry])
    assert len(folders(story)) == 2
    reopen(story)
    assert len(folders(story)) == 1 and story.machine.position == position
    ((stepped,),) = story.machine.apply([entry])
    assert stepped.outcome == DatabaseCreated("two", 2)


def test_a_soft_delete_leaves_the_files(story: Story) -> None:
    left = folders(story)
    story.run(DeleteDatabases(("db",), hard=False))
    story.run(create("db"))
    assert folders(story) > left
    reopen(story)
    assert folders(story) > left and len(story.machine.databases()) == 1


def test_created_filled_deleted_and_created_again_in_one_entry(story: Story) -> None:
    def batch(document_id: str) -> SaveBatch:
        return SaveBatch("two", AT, "A", (put(document_id),))

    outcomes = story.run_all(
        create("two"),
        batch("users/1"),
        DeleteDatabases(("two",), hard=True),
        batch("users/2"),
        create("TWO"),
        batch("users/3"),
    )
    assert [type(outcome) for outcome in outcomes] == [
        DatabaseCreated,
        BatchSaved,
        DatabasesDeleted,
        Refused,
        DatabaseCreated,
        BatchSaved,
    ]
    assert len(folders(story)) == 2
    with the_database(story, "two").read() as txn:
        assert [d.document_id for d in documents.oldest_first(txn)] == ["users/3"]


def test_a_reader_outlives_its_database(story: Story) -> None:
    story.save(put("users/1"))
    database = the_database(story, "db")
    with database.read() as txn:
        story.run(DeleteDatabases(("db",), hard=True))
        assert documents.load(txn, "users/1") is not None
        with pytest.raises(Closed), database.read():
            pass
    assert database.size_bytes() == 0


def test_members_come_and_go_through_the_log(story: Story) -> None:
    def change(what: Change, tag: str, url: str = "http://x") -> None:
        log_index = story.machine.applied.log_index + 1
        entry = LogEntry(log_index, 1, (), MembershipChange(what, Member(tag, url, "x:1")))
        ((stepped,),) = story.machine.apply([entry])
        assert stepped.outcome is None
        assert stepped.command_index == story.machine.members_command_index

    change(Change.ADD, "A")
    change(Change.ADD, "B")
    change(Change.ADD, "B", "http://y")
    change(Change.REMOVE, "A")
    change(Change.REMOVE, "C")
    assert story.machine.members() == {"B": Member("B", "http://y", "x:1")}
    assert story.machine.members_command_index == 6
    assert story.machine.position == story.machine.applied
    reopen(story)
    assert story.machine.members() == {"B": Member("B", "http://y", "x:1")}
    assert story.machine.members_command_index == 6


# Request ids


def test_a_repeated_request_gets_its_first_answer(story: Story) -> None:
    first = story.run(NextIdentity("db", "users", "request"))
    assert first == IdentityValue(1) == story.run(NextIdentity("db", "users", "request"))
    assert story.run(NextIdentity("db", "users", "another")) == IdentityValue(2)
    refused = story.save(put("users/1", expected="A:1-x"), request_id="refused")
    story.save(put("users/1"))
    assert story.save(put("users/1"), request_id="refused") == refused
    assert isinstance(refused, Refused)
    reopen(story)
    assert story.run(NextIdentity("db", "users", "request")) == first


def test_a_creation_sent_twice_is_one_creation(story: Story) -> None:
    first = story.run(create("two", request_id="make"))
    assert story.run(create("two", request_id="make")) == first == DatabaseCreated("two", 2)
    gone = story.run(DeleteDatabases(("two",), True, "drop"))
    assert story.run(DeleteDatabases(("two",), True, "drop")) == gone
    assert gone == DatabasesDeleted(("two",), 4)


def test_a_request_id_is_for_one_kind_of_command(story: Story) -> None:
    story.run(NextIdentity("db", "users", "request"))
    outcome = story.save(put("users/1"), request_id="request")
    assert outcome == Refused(
        Refusal.INVALID, "The request id 'request' was used for a NextIdentity before."
    )
    assert story.load("users/1") is None
    for request_id in ("", "x" * 513):
        assert isinstance(story.run(NextIdentity("db", "users", request_id)), Refused)


# Broken and newer


def test_a_command_that_does_not_decode_stops_the_machine(story: Story) -> None:
    with pytest.raises(MalformedValue, match="log entry 2: "):
        story.machine.apply([LogEntry(2, 1, (b"nonsense",))])
    with pytest.raises(Fatal, match="failed before"):
        story.machine.apply([LogEntry(3, 1, (encode(create("two")),))])
    with pytest.raises(Fatal, match="failed before"):
        story.machine.checkpoint()


def test_entries_come_in_order(story: Story) -> None:
    with pytest.raises(AssertionError):
        story.machine.apply([LogEntry(1, 1)])


def overwrite(story: Story, key: bytes, change: int) -> Path:
    """Change one byte of the stored value of `key`."""
    environment = the_database(story, "db").environment
    with environment.write() as txn:
        value = bytearray(txn.get(key) or b"")
        value[change] ^= 1
        txn.put(key, bytes(value))
    return environment.path


def test_a_stored_value_with_a_flipped_bit_names_its_folder(story: Story) -> None:
    story.save(put("users/1"))
    path = overwrite(story, b"dusers/1", -3)
    with pytest.raises(CorruptFile, match=rf"{path}: a stored document does not match"):
        story.load("users/1")
    with pytest.raises(CorruptFile, match=str(path)):
        story.save(put("users/1"))


def test_a_missing_database_folder_is_not_made_up(story: Story) -> None:
    story.machine.checkpoint()
    (folder,) = (story.folder / "databases").iterdir()
    story.machine.close()
    folder.rename(story.folder / "elsewhere")
    with pytest.raises(CorruptFile, match=r"'db' is recorded, but .* is missing"):
        Machine.open(story.folder, map_bytes=MAP_BYTES)


def test_a_newer_store_is_named_as_newer(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.machine.close()
    monkeypatch.setattr("quoth_cluster.database.schema.STORE", Layout("store format", 0, 1))
    with pytest.raises(NewerFormat, match=r"/group: .* has format 2, known is up to 0"):
        Machine.open(story.folder, map_bytes=MAP_BYTES)


def test_a_full_map_stops_the_machine_and_names_the_folder(tmp_path: Path) -> None:
    machine = Machine.open(tmp_path / "state", map_bytes=2**20)
    machine.apply([LogEntry(1, 1, (encode(create("db")),))])
    big = put("users/", body=b'{"a":"' + b"x" * 50_000 + b'"}')
    batch = encode(SaveBatch("db", AT, "A", (big, big)))
    with pytest.raises(Fatal, match=rf"{tmp_path}/state/databases/1-.*MDB_MAP_FULL"):
        for log_index in range(2, 40):
            machine.apply([LogEntry(log_index, 1, (batch,))])
    applied = machine.applied
    machine.close()
    machine = Machine.open(tmp_path / "state", map_bytes=2**22)
    log = [LogEntry(log_index, 1, (batch,)) for log_index in range(2, applied.log_index + 1)]
    assert all(stepped.outcome is None for (stepped,) in machine.apply(log))
    machine.close()


def test_databases_and_their_settings_have_a_limit(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one, the command that no node can carry out any more would stop them all for good."""
    monkeypatch.setattr(databases, "DATABASES_MAX", 3)
    assert isinstance(story.run(create("two")), DatabaseCreated)
    assert isinstance(story.run(create("three")), DatabaseCreated)
    refused = story.run(create("four"))
    assert isinstance(refused, Refused) and "at most 3 databases" in refused.message
    story.run(DeleteDatabases(("two",), hard=True))
    assert isinstance(story.run(create("four")), DatabaseCreated)
    large = replace(create("large"), settings=b"{" + b" " * databases.SETTINGS_BYTES_MAX + b"}")
    refused = story.run(large)
    assert isinstance(refused, Refused) and "settings" in refused.message
