"""Records change through the log: state, lock, settings, order of members, client configuration."""

from dataclasses import replace

import pytest

from quoth_cluster.administration import in_order
from quoth_cluster.commands import (
    ChangeDatabase,
    Command,
    DeleteDatabases,
    LockDatabases,
    NextIdentity,
    PutClientConfiguration,
    SaveBatch,
    ToggleDatabases,
    encode,
)
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.log import Change, LogEntry, Member, MembershipChange
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import (
    BatchSaved,
    DatabaseChanged,
    DatabaseCreated,
    DatabasesDeleted,
    DatabasesLocked,
    DatabasesToggled,
    IdentityValue,
    Refusal,
    Refused,
    Toggled,
)
from tests.unit.state.story import AT, DATABASE_ID, MAP_BYTES, Story, create, put

DISABLED = Refused(Refusal.DATABASE_DISABLED, "db has been disabled")


def record_of(story: Story, name: str = "db") -> DatabaseRecord:
    database = story.machine.database(name)
    assert database is not None
    return database.record


def reopen(story: Story) -> None:
    """Stop and start; nothing is left to replay."""
    story.machine.checkpoint()
    story.machine.close()
    story.machine = Machine.open(story.folder, map_bytes=MAP_BYTES)


def add_members(story: Story, *tags: str) -> None:
    for tag in tags:
        log_index = story.machine.applied.log_index + 1
        change = MembershipChange(Change.ADD, Member(tag, "http://x", "x:1"))
        entry = LogEntry(log_index, 1, (), change)
        story.log.append(entry)
        story.machine.apply([entry])


def test_a_record_changes_under_the_etag_that_was_read(story: Story) -> None:
    before = record_of(story)
    assert before.etag == before.command_index == 1
    change = ChangeDatabase("DB", expected_etag=1, settings=b'{"a":"b"}')
    assert story.run(change) == DatabaseChanged("db", 2)
    assert (record_of(story).settings, record_of(story).etag) == (b'{"a":"b"}', 2)
    late = story.run(replace(change, settings=b"{}"))
    assert late == Refused(
        Refusal.DATABASE_ETAG,
        "Concurrency violation, the database db has etag 2 but was expecting 1",
    )
    after = record_of(story)
    reopen(story)
    assert record_of(story) == after
    assert (after.folder, after.database_id) == (before.folder, before.database_id)


def test_what_a_change_does_not_name_stays(story: Story) -> None:
    story.run(ChangeDatabase("db", settings=b'{"a":"b"}', lock_mode="PreventDeletesError"))
    story.run(ChangeDatabase("db", client=b'{"IdentityPartsSeparator":"-"}'))
    story.run(ChangeDatabase("db", dynamic_distribution=True, unused_ids=("x" * 22,)))
    record = record_of(story)
    assert (record.settings, record.lock_mode) == (b'{"a":"b"}', "PreventDeletesError")
    assert (record.client_index, record.changed_index) == (3, 4)
    assert (record.dynamic_distribution, record.unused_ids) == (True, ("x" * 22,))


@pytest.mark.parametrize(
    "change",
    [
        ChangeDatabase("db", settings=b"{" + b" " * 70_000 + b"}"),
        ChangeDatabase("db", lock_mode="Locked"),
        ChangeDatabase("db", client=b"5"),
        ChangeDatabase("db", client=b"{" + b" " * 5_000 + b"}"),
        ChangeDatabase("db", client=b'{"IdentityPartsSeparator":"|"}'),
        ChangeDatabase("db", client=b'{"IdentityPartsSeparator":"ab"}'),
        ChangeDatabase("db", client=b'{"IdentityPartsSeparator":"7"}'),
        ChangeDatabase("db", members_order=("A", "B")),
        ChangeDatabase("db", unused_ids=("a, b",)),
        ChangeDatabase("db", unused_ids=(DATABASE_ID,)),
        ChangeDatabase("db", unused_ids=("x",) * 1_001),
        PutClientConfiguration(b'{"IdentityPartsSeparator":" "}'),
        replace(create("other"), lock_mode="x"),
        replace(create("other"), client=b"[]"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(story: Story, change: Command) -> None:
    before = record_of(story)
    outcome = story.run(change)
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.INVALID
    assert record_of(story) == before and len(story.machine.databases()) == 1


def test_only_a_known_database_is_changed(story: Story) -> None:
    missing = Refused(Refusal.NO_DATABASE, "Database 'none' does not exist.")
    assert story.run(ChangeDatabase("none", disabled=True)) == missing
    assert story.run(LockDatabases(("db", "none"), "PreventDeletesError")) == missing
    assert record_of(story).lock_mode == "Unlock", "all of them or none"


def test_a_disabled_database_takes_no_command_until_it_is_enabled(story: Story) -> None:
    story.save(put("users/1"))
    told = story.run(ToggleDatabases(("DB", "none", "db"), disabled=True))
    assert told == DatabasesToggled(
        (Toggled("db", True, True), Toggled("none", False, False), Toggled("db", True, False)), 3
    )
    assert story.save(put("users/2")) == DISABLED
    assert story.run(NextIdentity("db", "users", "again")) == DISABLED
    reopen(story)
    assert story.save(put("users/2")) == DISABLED
    story.run(ToggleDatabases(("db",), disabled=False))
    assert story.run(NextIdentity("db", "users", "again")) == IdentityValue(1), "sent once more"
    assert story.load("users/2") is None and story.load("users/1") is not None


def test_what_is_on_its_way_when_a_database_is_disabled_is_decided_by_the_log(story: Story) -> None:
    def batch(document_id: str) -> SaveBatch:
        return SaveBatch("db", AT, "A", (put(document_id),))

    commands = (
        batch("users/1"),
        ToggleDatabases(("db",), disabled=True),
        batch("users/2"),
        ToggleDatabases(("db",), disabled=False),
        batch("users/3"),
        ToggleDatabases(("db",), disabled=True),
        batch("users/4"),
    )
    kinds = [type(outcome) for outcome in story.run_all(*commands)]
    assert kinds[0::2] == [BatchSaved, Refused, BatchSaved, Refused]
    found = [story.load(f"users/{number}") is not None for number in range(1, 5)]
    assert found == [True, False, True, False]


def test_a_group_commit_that_was_lost_is_replayed_over_a_database_that_kept_its_own(
    story: Story,
) -> None:
    """The entry holds a command the database has, and behind it one it refused: both come again."""
    group = (story.folder / "group" / "data.mdb").read_bytes()
    batch = SaveBatch("db", AT, "A", (put("users/1"),))
    entry = story.entry(batch, ToggleDatabases(("db",), disabled=True), batch)
    (told,) = story.machine.apply([entry])
    expected = story.dump()
    story.machine.close()
    (story.folder / "group" / "data.mdb").write_bytes(group)
    story.machine = Machine.open(story.folder, map_bytes=MAP_BYTES)
    (again,) = story.machine.apply([entry])
    assert [one.outcome for one in again] == [None, told[1].outcome, told[2].outcome]
    assert story.dump() == expected


def test_a_lock_keeps_a_database(story: Story) -> None:
    story.run_all(create("two"), create("three"))
    everything = DeleteDatabases(("two", "db", "three"), hard=True)
    assert story.run(LockDatabases(("TWO",), "PreventDeletesError")) == DatabasesLocked(4)
    refused = story.run(everything)
    assert refused == Refused(
        Refusal.DATABASE_LOCKED,
        "Database 'two' cannot be deleted because of the set lock mode ('PreventDeletesError'). "
        "Please consider changing the lock mode before deleting the database.",
    )
    assert len(story.machine.databases()) == 3
    story.run(LockDatabases(("two", "db"), "PreventDeletesIgnore"))
    assert story.run(everything) == DatabasesDeleted(("three",), 7)
    reopen(story)
    assert [record.name for record in story.machine.databases()] == ["db", "two"]
    story.run(LockDatabases(("two", "db"), "Unlock"))
    assert story.run(everything) == DatabasesDeleted(("two", "db"), 9)


def test_a_database_is_created_as_it_is_to_be(story: Story) -> None:
    command = replace(create("two"), disabled=True, lock_mode="PreventDeletesIgnore", client=b"{}")
    assert story.run(command) == DatabaseCreated("two", 2)
    record = record_of(story, "two")
    assert (record.disabled, record.lock_mode) == (True, "PreventDeletesIgnore")
    assert (record.client, record.client_index) == (b"{}", 2)


def test_members_are_ordered_by_all_of_their_tags(story: Story) -> None:
    add_members(story, "A", "B", "C")
    wrong = [("A", "B"), ("A", "B", "D"), ("A", "B", "C", "C"), ("A", "B", "B")]
    for order in wrong:
        assert isinstance(story.run(ChangeDatabase("db", members_order=order)), Refused)
    story.run(ChangeDatabase("db", members_order=("C", "A", "B"), order_fixed=True))
    record = record_of(story)
    assert record.order_index == record.etag and record.order_fixed
    assert in_order(["A", "B", "C"], record) == ["C", "A", "B"]
    assert in_order(["A", "D", "C", "AA"], record) == ["C", "A", "D", "AA"], "new ones come last"


def test_the_separator_of_ids_is_that_of_the_database_or_of_the_server(story: Story) -> None:
    def made(document_id: str) -> str:
        outcome = story.save(put(document_id))
        assert isinstance(outcome, BatchSaved)
        (result,) = outcome.results
        return result.document_id

    assert made("users|") == "users/1"
    story.run(PutClientConfiguration(b'{"IdentityPartsSeparator":"-"}'))
    assert made("users|") == "users-2"
    assert made("users-") == f"users-{3:019}-A"
    assert made("users/") == "users/", "an id as any other"
    story.run(ChangeDatabase("db", client=b'{"IdentityPartsSeparator":"_"}'))
    assert made("users|") == "users_3"
    reopen(story)
    assert made("users|") == "users_4"
    story.run(ChangeDatabase("db", client=b'{"IdentityPartsSeparator":"_","Disabled":true}'))
    assert made("users|") == "users-5"
    refused = story.agree(put("users-"))
    assert isinstance(refused, Refused) and "cannot end with '-'" in refused.message


def test_the_servers_client_configuration_is_kept(story: Story) -> None:
    assert story.machine.client_configuration.command_index == 0
    story.run(PutClientConfiguration(b'{"Disabled":false}'))
    kept = story.machine.client_configuration
    assert (kept.json, kept.command_index) == (b'{"Disabled":false}', 2)
    reopen(story)
    assert story.machine.client_configuration == kept


def test_a_change_sent_twice_is_one_change(story: Story) -> None:
    change = ChangeDatabase("db", expected_etag=1, settings=b'{"a":"b"}', request_id="once")
    first = story.run(change)
    assert story.run(change) == first == DatabaseChanged("db", 2)


def test_readers_see_a_change_when_it_is_committed(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def look(*_: object) -> None:
        seen.append(record_of(story).disabled)

    monkeypatch.setattr("quoth_cluster.database.Database.make_durable", look)
    story.machine.apply([story.entry(ToggleDatabases(("db",), disabled=True))])
    assert seen == [False] and record_of(story).disabled


def test_the_bytes_of_a_creation_without_the_new_fields_are_read(story: Story) -> None:
    """As a node that knew no lock wrote them into the log."""
    whole = encode(create("two"))
    assert whole.endswith(b"\xc2\xa6Unlock\xc4\x00")
    story.run(create("two"))
    assert record_of(story, "two").lock_mode == "Unlock"
