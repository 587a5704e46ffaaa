"""Indexes are defined through the log: one definition on all nodes, of a database or of none."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_cluster import indexes
from quoth_cluster.commands import ChangeIndexes, DeleteDatabases, DeleteIndex, PutIndex, SaveBatch
from quoth_cluster.indexes import AUTOMATIC, STATIC, IndexRecord
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import IndexDeleted, IndexesChanged, IndexPut, Refusal, Refused
from tests.unit.state.story import AT, MAP_BYTES, STEADY, Story, create, dump, put

BY_NAME = PutIndex("db", "Users/ByName", STATIC, b'{"Maps":["by name"]}', AT)
BY_AGE = replace(BY_NAME, definition=b'{"Maps":["by age"]}')
SAVED = SaveBatch("db", AT, "A", (put("users/1"),))


def automatic(name: str, *supersedes: str, definition: bytes = b"{}") -> PutIndex:
    return PutIndex("db", name, AUTOMATIC, definition, AT, supersedes)


def named(story: Story, name: str = "Users/ByName") -> IndexRecord | None:
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        return indexes.load(txn, name)


def names(story: Story) -> list[str]:
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        return [record.name for record in indexes.every(txn)]


def changed_at(story: Story) -> int:
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        return indexes.changed_at(txn)


def lock(story: Story, mode: str) -> None:
    outcome = story.run(ChangeIndexes("db", ("Users/ByName",), lock_mode=mode))
    assert isinstance(outcome, IndexesChanged)


def message(outcome: object) -> str:
    assert isinstance(outcome, Refused)
    assert outcome.refusal == Refusal.INVALID
    return outcome.message


def test_an_index_stands_as_it_was_defined(story: Story) -> None:
    assert changed_at(story) == 0
    assert story.run(BY_NAME) == IndexPut("Users/ByName", 2, changed=True)
    record = IndexRecord("Users/ByName", STATIC, BY_NAME.definition, "Unlock", "Normal", "Normal")
    record = replace(record, defined_index=2, created_index=2, created_micros=AT)
    assert named(story) == named(story, "users/BYNAME") == record
    assert changed_at(story) == 2


def test_what_stays_as_it_is_changes_nothing(story: Story) -> None:
    story.run(BY_NAME)
    assert story.run(BY_NAME) == IndexPut("Users/ByName", 2, changed=False)
    assert story.run(ChangeIndexes("db", ("Users/ByName",), priority="Normal")) == IndexesChanged(4)
    assert changed_at(story) == 2


def test_another_definition_takes_the_place_and_keeps_what_was_set(story: Story) -> None:
    story.run(replace(BY_NAME, priority="High"))
    assert story.run(replace(BY_AGE, name="users/byname")) == IndexPut(
        "Users/ByName", 3, changed=True
    )
    record = named(story)
    assert record is not None
    assert (record.definition, record.priority) == (BY_AGE.definition, "High")
    assert (record.defined_index, record.created_index) == (3, 2)


def test_a_priority_is_no_other_definition(story: Story) -> None:
    story.run(BY_NAME)
    outcome = story.run(replace(BY_NAME, priority="Low"))
    assert outcome == IndexPut("Users/ByName", 2, changed=True)
    assert changed_at(story) == 3


def test_a_locked_index_ignores_or_refuses_another_definition(story: Story) -> None:
    story.run(BY_NAME)
    lock(story, "LockedIgnore")
    assert story.run(BY_AGE) == IndexPut("Users/ByName", 2, changed=False)
    lock(story, "LockedError")
    assert story.run(BY_AGE) == Refused(
        Refusal.INDEX_LOCKED, "Cannot edit existing index Users/ByName with lock mode LockedError"
    )
    assert story.run(BY_NAME) == IndexPut("Users/ByName", 2, changed=False)
    lock(story, "Unlock")
    assert story.run(BY_AGE) == IndexPut("Users/ByName", story.command_index, changed=True)


def test_a_locked_index_outlives_its_deletion(story: Story) -> None:
    story.run(BY_NAME)
    before = named(story)
    delete = DeleteIndex("db", "users/byname")
    lock(story, "LockedIgnore")
    assert story.run(delete) == IndexDeleted("Users/ByName", found=True)
    lock(story, "LockedError")
    assert story.run(delete) == Refused(
        Refusal.INDEX_KEPT, "Cannot delete existing index Users/ByName with lock mode LockedError"
    )
    lock(story, "Unlock")
    assert named(story) == before
    story.run(delete)
    assert named(story) is None


def test_the_name_of_an_automatic_index_says_all_of_it(story: Story) -> None:
    assert story.run(automatic("Auto/Users/Byname")) == IndexPut(
        "Auto/Users/Byname", 2, changed=True
    )
    again = automatic("Auto/Users/Byname", definition=b'{"written":"otherwise"}')
    assert story.run(again) == IndexPut("Auto/Users/Byname", 2, changed=False)
    other = automatic("Auto/Users/ByName", definition=b'{"another":"field"}')
    assert story.run(other) == IndexPut("Auto/Users/ByName", 4, changed=True)
    assert names(story) == ["Auto/Users/ByName"]


def test_a_wider_index_takes_the_place_of_narrower_ones(story: Story) -> None:
    story.run_all(BY_NAME, automatic("Auto/Users/Byname"), automatic("Auto/Users/Byage"))
    wider = automatic(
        *("Auto/Users/ByageAndname", "auto/users/BYNAME", "Auto/Users/Byage"),
        *("Auto/Users/ByageAndname", "Users/ByName", "Auto/Nothing"),
    )
    assert story.run(wider) == IndexPut("Auto/Users/ByageAndname", 5, changed=True)
    assert names(story) == ["Auto/Users/ByageAndname", "Users/ByName"]


def test_a_deleted_index_is_gone_and_may_be_defined_anew(story: Story) -> None:
    story.run(BY_NAME)
    assert story.run(DeleteIndex("db", "users/byname")) == IndexDeleted("Users/ByName", found=True)
    assert changed_at(story) == 3
    assert story.run(DeleteIndex("db", "users/byname")) == IndexDeleted("users/byname", found=False)
    assert changed_at(story) == 3
    story.run(BY_NAME)
    record = named(story)
    assert record is not None and record.created_index == 5


def test_all_that_are_named_are_changed_or_none(story: Story) -> None:
    story.run_all(BY_NAME, replace(BY_NAME, name="Users/ByAge"))
    refused = story.run(ChangeIndexes("db", ("Users/ByName", "Nope"), state="Disabled"))
    assert refused == Refused(Refusal.NO_INDEX, "There is no index named 'Nope'.")
    assert changed_at(story) == 3
    both = ChangeIndexes("db", ("users/byname", "Users/ByAge"), state="Disabled")
    assert story.run(both) == IndexesChanged(5)
    for name in ("Users/ByName", "Users/ByAge"):
        record = named(story, name)
        assert record is not None
        assert (record.state, record.defined_index) == ("Disabled", record.created_index)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (replace(BY_NAME, name=" "), "The name of an index has 1 to 480 bytes."),
        (replace(BY_NAME, name="n" * 481), "The name of an index has 1 to 480 bytes."),
        (replace(BY_NAME, name="auto/x"), "Index name 'auto/x' is not allowed"),
        (automatic("Users/Byname"), "Index name 'Users/Byname' is not allowed"),
        (replace(BY_NAME, kind="other"), "An index is static or automatic."),
        (replace(BY_NAME, definition=b"[]"), "The definition of an index is a JSON object"),
        (replace(BY_NAME, definition=b"{%b}" % (b" " * 2**20)), "at most 1048576 bytes"),
        (replace(BY_NAME, lock_mode="Locked"), "'Locked' is none of Unlock"),
        (replace(BY_NAME, priority="Highest"), "'Highest' is none of Low"),
        (replace(BY_NAME, state="Broken"), "'Broken' is none of Normal"),
        (replace(BY_NAME, at_micros=-1), "The time of a command"),
        (automatic("Auto/x", *("y",) * 501), "at most 500 indexes"),
        (ChangeIndexes("db", ("x",), priority="Highest"), "'Highest' is none of Low"),
        (ChangeIndexes("db", ("x",) * 501), "at most 500 indexes"),
        (ChangeIndexes("db", ("Auto/there",), lock_mode="Unlock"), "lock modes are for static"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    story: Story, command: PutIndex | ChangeIndexes, said: str
) -> None:
    story.run(automatic("Auto/there"))
    assert said in message(story.run(command))
    assert changed_at(story) == 2


def test_a_database_has_room_for_some_hundred_indexes(story: Story) -> None:
    story.run_all(*(replace(BY_NAME, name=f"i/{number}") for number in range(500)))
    assert "at most 500 indexes" in message(story.run(BY_NAME))
    assert isinstance(story.run(replace(BY_AGE, name="I/7")), IndexPut)
    story.run(DeleteIndex("db", "i/499"))
    assert isinstance(story.run(BY_NAME), IndexPut)


def test_a_wider_index_needs_no_room_but_that_of_those_it_replaces(story: Story) -> None:
    fillers = (replace(BY_NAME, name=f"i/{number}") for number in range(499))
    story.run_all(*fillers, automatic("Auto/Users/Byname"))
    assert "at most 500 indexes" in message(story.run(automatic("Auto/Users/ByageAndname", "i/0")))
    wider = story.run(automatic("Auto/Users/ByageAndname", "Auto/Users/Byname"))
    assert wider == IndexPut("Auto/Users/ByageAndname", story.command_index, changed=True)
    assert len(names(story)) == 500


def test_all_definitions_together_have_a_limit(story: Story) -> None:
    large = b'{"Maps":["%b"]}' % (b"x" * (2**20 - 13))
    story.run_all(*(replace(BY_NAME, name=f"i/{number}", definition=large) for number in range(16)))
    assert len(names(story)) == 16
    assert "at most 16777216 bytes" in message(story.run(BY_NAME))
    assert isinstance(story.run(replace(BY_NAME, name="i/3")), IndexPut)
    assert isinstance(story.run(BY_NAME), IndexPut)


def test_a_database_knows_whether_it_ever_had_an_index(story: Story) -> None:
    story.run(create("other"))
    story.run(BY_NAME)
    story.run(DeleteIndex("db", "Users/ByName"))
    for _ in range(2):
        told = {one.record.name: one.has_indexes for one in story.machine.open_databases()}
        assert told == {"db": True, "other": False}
        story.machine.checkpoint()
        story.machine.close()
        story.machine = Machine.open(story.folder, map_bytes=MAP_BYTES)


def test_indexes_go_with_their_database(story: Story) -> None:
    story.run(BY_NAME)
    story.run_all(DeleteDatabases(("db",), hard=True), create("db"))
    assert names(story) == []


CHANGES = st.one_of(
    st.builds(
        PutIndex,
        st.just("db"),
        st.sampled_from(["A", "a", "B", "Auto/x", "auto/X", ""]),
        st.sampled_from([STATIC, AUTOMATIC, "?"]),
        st.sampled_from([b"{}", b'{"a":1}', b""]),
        st.just(AT),
        st.lists(st.sampled_from(["a", "Auto/x", "b"]), max_size=3).map(tuple),
        st.sampled_from([None, *indexes.LOCK_MODES, "?"]),
        st.sampled_from([None, *indexes.PRIORITIES]),
        st.sampled_from([None, *indexes.STATES]),
    ),
    st.builds(DeleteIndex, st.just("db"), st.sampled_from(["A", "auto/x", "b"])),
    st.builds(
        ChangeIndexes,
        st.just("db"),
        st.lists(st.sampled_from(["A", "auto/x", "b"]), max_size=3).map(tuple),
        st.sampled_from([None, *indexes.LOCK_MODES, "?"]),
        st.sampled_from([None, *indexes.PRIORITIES]),
        st.sampled_from([None, *indexes.STATES]),
    ),
)


@settings(STEADY, max_examples=15)
@given(commands=st.lists(CHANGES, max_size=12))
def test_one_entry_or_many_come_to_the_same_state(
    tmp_path_factory: pytest.TempPathFactory,
    commands: list[PutIndex | DeleteIndex | ChangeIndexes],
) -> None:
    together = Story(tmp_path_factory.mktemp("together") / "state")
    alone = Story(tmp_path_factory.mktemp("alone") / "state")
    outcomes = together.run_all(SAVED, *commands)
    alone.run(SAVED)
    assert outcomes[1:] == [alone.run(command) for command in commands]
    for story in (together, alone):
        story.machine.close()
    databases = [
        {key: value for key, value in dump_of(story).items() if key[:1] in (b"n", b"o")}
        for story in (together, alone)
    ]
    assert databases[0] == databases[1]


def dump_of(story: Story) -> dict[bytes, bytes]:
    machine = Machine.open(story.folder, map_bytes=MAP_BYTES)
    try:
        return dump(machine)["db"]
    finally:
        machine.close()
