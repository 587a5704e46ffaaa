"""Indexes follow their documents and definitions, round by round, whenever a round is the last."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from quoth_cluster.clock import to_wire
from quoth_cluster.commands import DeleteDatabases
from quoth_cluster.machine import Machine
from quoth_node.indexing import stepping
from quoth_node.indexing.built import Activity
from quoth_node.indexing.javascript.mapper import StaticMapper
from quoth_node.indexing.mapping import Load, Mapped, SourceDocument
from quoth_node.indexing.messages import ClearErrors, Condemn, Pause, Replace, Reset, Works
from quoth_node.indexing.staleness import is_behind, reasons
from tests.unit.indexing.workshop import Workshop
from tests.unit.state.story import AT, MAP_BYTES, create

BY_NAME = "from u in docs.Users select new { u.name }"
BY_AGE = "from u in docs.Users select new { u.age }"
COUNTS = "from u in docs.Users select new { u.name, Count = 1 }"
SUM = (
    "from r in results group r by r.name into g "
    "select new { name = g.Key, Count = g.Sum(x => x.Count) }"
)
WITH_COMPANY = (
    'from u in docs.Users let c = LoadDocument(u.company, "Companies") '
    "select new { company = c.name }"
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    shop = Workshop(tmp_path)
    yield shop
    shop.builder.close()
    shop.story.machine.close()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two documents a step."""
    monkeypatch.setattr(stepping, "BATCH_DOCUMENTS", 2)


def test_an_index_holds_the_documents_of_its_collection(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.put("users/1", name="Ann")
    shop.put("companies/1", "Companies", name="Acme")
    shop.go()
    assert shop.terms("N", "name") == ["ann"]
    shop.put("users/1", name="Bob")
    shop.put("users/2", name="Cid")
    shop.go()
    assert shop.terms("N", "name") == ["bob", "cid"]
    shop.delete("users/1")
    shop.go()
    assert (shop.terms("N", "name"), shop.entries("N")) == (["cid"], 1)
    assert shop.served("N").etag == shop.last_etag()


@pytest.mark.usefixtures("small_batches")
def test_an_index_goes_on_where_it_was_after_any_round(shop: Workshop) -> None:
    names = [f"n{number}" for number in range(9)]
    for name in names:
        shop.put(f"users/{name}", name=name)
    shop.define("N", BY_NAME)
    shop.define("C", COUNTS, reduce=SUM)
    rounds = 0
    while shop.round():
        rounds += 1
        shop.kill()
    assert rounds >= 4
    assert shop.terms("N", "name") == shop.terms("C", "name") == names
    assert (shop.entries("N"), shop.entries("C")) == (9, 9)
    assert shop.served("N").stats().counters["map attempts"] == 9


@pytest.mark.usefixtures("small_batches")
def test_an_automatic_index_has_what_the_server_knows_of_a_document(shop: Workshop) -> None:
    known = ("@metadata.@last-modified", "@metadata.@collection", "@metadata.@id")
    name = shop.define_automatic("Users", *known)
    shop.put("users/1", name="Ann")
    shop.go()
    terms = [shop.terms(name, one) for one in known]
    assert terms == [[to_wire(AT).lower()], ["users"], ["users/1"]]


def test_what_comes_back_in_another_collection_stays(shop: Workshop) -> None:
    """Tombstones are read in batches of their own, long after the document that came back."""
    ids = [f"users/{number}" for number in range(5)]
    for document_id in (*(f"ghosts/{number}" for number in range(9)), *ids):
        shop.put(document_id, "Ghosts", name="gone")
        shop.delete(document_id)
    for document_id in ids:
        shop.put(document_id, "Users", name=document_id)
    shop.define("N", BY_NAME)
    shop.define("G", "from g in docs.Ghosts select new { g.name }")
    shop.go()
    assert shop.terms("N", "name") == ids
    assert shop.terms("G", "name") == []


def test_who_moves_to_another_collection_leaves_the_former(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.put("users/1", "Users", name="Ann")
    shop.go()
    shop.delete("users/1")
    shop.put("users/1", "Others", name="Ann")
    shop.go()
    assert shop.entries("N") == 0


def test_what_was_loaded_is_looked_at_again(shop: Workshop) -> None:
    shop.define("W", WITH_COMPANY)
    shop.put("users/1", company="companies/1")
    shop.go()
    assert shop.terms("W", "company") == []
    for name, term in (("Acme", "acme"), ("Best", "best")):
        shop.put("companies/1", "Companies", name=name)
        index = shop.served("W")
        with shop.snapshot() as txn:
            assert is_behind(index, txn, etag=index.etag), "the company is news to it"
        shop.go()
        assert shop.terms("W", "company") == [term]
    shop.delete("companies/1")
    shop.go()
    assert shop.terms("W", "company") == []


def test_staleness_has_reasons(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.go()
    shop.put("companies/1", "Companies")
    index = shop.served("N")
    with shop.snapshot() as txn:
        assert reasons(index, txn) == [] and not is_behind(index, txn, etag=index.etag)
    shop.put("users/1", name="Ann")
    shop.put("users/2", name="Ann")
    shop.delete("users/2")
    index.is_paused = True
    with shop.snapshot() as txn:
        found = reasons(index, txn)
    assert [reason.partition(".")[0] for reason in found] == [
        "There are still some documents to process from collection 'Users'",
        "There are still some tombstones to process from collection 'Users'",
        "Index 'N' does not go on: it is paused",
    ]


@pytest.mark.usefixtures("small_batches")
def test_a_changed_definition_takes_its_place_when_it_has_caught_up(shop: Workshop) -> None:
    for number in range(6):
        shop.put(f"users/{number}", name="Ann", age=number)
    shop.define("N", BY_NAME)
    shop.go()
    former = shop.served("N")
    shop.define("N", BY_AGE)
    shop.round()
    assert shop.terms("N", "name") == ["ann"], "the former answers until then"
    assert len(shop.builds()) == 2
    shop.kill()
    shop.go()
    assert shop.terms("N", "age") == ["0", "1", "2", "3", "4", "5"]
    assert len(shop.builds()) == 1 and not former.folder.exists()


@pytest.mark.usefixtures("small_batches")
def test_a_changed_definition_may_take_its_place_at_once(shop: Workshop) -> None:
    for number in range(6):
        shop.put(f"users/{number}", name="Ann", age=number)
    shop.define("N", BY_NAME)
    shop.go()
    shop.define("N", BY_AGE)
    shop.round()
    shop.say(Replace(0, "", "n"))
    assert len(shop.builds()) == 1 and shop.terms("N", "name") == []
    shop.go()
    assert shop.entries("N") == 6


@pytest.mark.usefixtures("small_batches")
def test_a_definition_that_is_changed_back_stays(shop: Workshop) -> None:
    for number in range(6):
        shop.put(f"users/{number}", name="Ann", age=number)
    shop.define("N", BY_NAME)
    shop.go()
    (build,) = shop.builds()
    shop.define("N", BY_AGE)
    shop.round()
    shop.define("N", BY_NAME)
    shop.go()
    assert shop.builds() == [build]
    assert shop.served("N").stats().counters["map attempts"] == 6


def test_a_reset_index_is_built_in_a_file_of_another_name(shop: Workshop) -> None:
    """SQLite deletes by name what lies beside a file, when who had it open before closes it."""
    shop.define("N", BY_NAME)
    shop.put("users/1", name="Ann")
    shop.go()
    before = shop.served("N")
    assert before.terms("name", None, 10) == ["ann"]  # a connection stays open
    shop.say(Reset(0, "", "N"))
    after = shop.served("N")
    assert after.folder != before.folder and not before.folder.exists()
    shop.go()
    before.close()
    assert shop.terms("N", "name") == ["ann"]
    shop.kill()
    shop.go()
    assert shop.served("N").folder == after.folder
    assert shop.served("N").stats().counters["map attempts"] == 1


def test_a_damaged_file_is_built_anew(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.put("users/1", name="Ann")
    shop.go()
    damaged = shop.served("N").folder / "index.sqlite"
    shop.builder.close()
    damaged.write_bytes(b"no file of SQLite" * 1_000)
    shop.begin()
    shop.go()
    assert shop.terms("N", "name") == ["ann"]
    assert [shop.served("N").folder.name] == shop.builds()


def test_indexes_rest_and_go_on(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.define("M", BY_NAME)
    shop.go()
    shop.say(Pause(0, "", None, True))
    shop.put("users/1", name="Ann")
    assert shop.go() == 1
    assert shop.served("N").activity is Activity.PAUSED and shop.terms("N", "name") == []
    shop.say(Pause(0, "", "n", False))
    shop.define("New", BY_NAME)
    shop.go()
    assert [shop.entries(name) for name in ("N", "M", "New")] == [1, 0, 0]
    shop.say(Pause(0, "", None, False))
    shop.go()
    assert [shop.entries(name) for name in ("N", "M", "New")] == [1, 1, 1]


def test_a_disabled_index_stands_still_on_every_node(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.go()
    shop.change("N", state="Disabled")
    shop.put("users/1", name="Ann")
    shop.go()
    assert shop.served("N").activity is Activity.DISABLED and shop.entries("N") == 0
    shop.change("N", state="Normal", priority="High")
    shop.go()
    assert shop.entries("N") == 1 and shop.served("N").record.priority == "High"
    assert len(shop.builds()) == 1, "neither makes another index of it"


@pytest.mark.usefixtures("small_batches")
def test_the_more_urgent_comes_first(shop: Workshop) -> None:
    for number in range(4):
        shop.put(f"users/{number}", name="Ann")
    for name, priority in (("L", "Low"), ("N", "Normal"), ("H", "High")):
        shop.define(name, BY_NAME, priority=priority)
    shop.round()
    digests = [one.digest for one in shop.reports if isinstance(one, Works) and one.maps]
    order = [shop.served(name).folder.name.partition("-")[0] for name in ("H", "N", "L")]
    assert digests == order


def test_deleted_indexes_and_databases_leave_no_files(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.define("M", BY_NAME)
    shop.go()
    shop.drop("N")
    shop.go()
    assert shop.names() == ["m"] and len(shop.builds()) == 1
    shop.story.run(DeleteDatabases(("db",), hard=True))
    shop.tell_sources()
    shop.go()
    assert list((shop.folder / "indexes").iterdir()) == []


def test_what_a_database_left_while_nobody_looked_is_swept(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.go()
    shop.builder.close()
    shop.story.run_all(DeleteDatabases(("db",), hard=True), create("db"))
    shop.begin()
    shop.go()
    assert list((shop.folder / "indexes").iterdir()) == []


def test_a_disabled_database_is_left_alone(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.put("users/1", name="Ann")
    shop.tell_sources(is_disabled=True)
    shop.go()
    assert shop.entries("N") == 0
    shop.tell_sources()
    shop.go()
    assert shop.entries("N") == 1


def test_a_state_that_was_replaced_is_gone_on_with(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.put("users/1", name="Ann")
    shop.go()
    frozen = shop.story.machine.freeze()
    frozen.copy_to(shop.folder / "copy")
    frozen.release()
    shop.put("users/2", name="Bob")
    shop.go()
    later = shop.story.machine.freeze()
    later.copy_to(shop.folder / "later")
    later.release()
    shop.story.machine.install(shop.folder / "later")
    opened = shop.opened
    assert shop.go() == 1, "the former environment is closed, and that is all"
    shop.generation += 1
    shop.tell_sources()
    shop.put("users/3", name="Cid")
    shop.go()
    assert shop.opened == opened + 1
    assert shop.terms("N", "name") == ["ann", "bob", "cid"]
    assert shop.served("N").stats().counters["map attempts"] == 3


def test_a_definition_that_is_condemned_is_left_alone_until_it_is_reset(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    shop.put("users/1", name="Ann")
    shop.go()
    digest = shop.served("N").folder.name.partition("-")[0]
    shop.builder.close()
    shop.begin()
    shop.builder.take(Condemn(digest, "it ends whoever works on it"))
    shop.go()
    index = shop.served("N")
    assert index.activity is Activity.FAULTY
    assert [failure.text for failure in index.failures()] == ["it ends whoever works on it"]
    shop.say(Reset(0, "", "N"))
    shop.go()
    assert shop.terms("N", "name") == ["ann"]


def test_documents_that_fail_are_told_and_forgotten(shop: Workshop) -> None:
    shop.define("N", "from u in docs.Users select new { n = 10 / u.zero.Length }")
    shop.put("users/1", zero="x")
    shop.put("users/2", zero="")
    shop.go()
    (failure,) = shop.served("N").failures()
    assert (failure.document_id, failure.action) == ("users/2", "Map")
    shop.say(ClearErrors(0, "", ("n",)))
    assert shop.served("N").failures() == []
    assert shop.served("N").activity is Activity.RUNNING


def test_an_index_that_fails_on_most_documents_stops(shop: Workshop) -> None:
    shop.define("N", "from u in docs.Users select new { n = 10 / u.zero.Length }")
    for number in range(120):
        shop.put(f"users/{number}", zero="x" if number % 3 else "")
    shop.go()
    index = shop.served("N")
    assert index.activity is Activity.FAULTY and index.error is not None
    assert "most documents fail" in index.error


def test_an_index_of_slow_documents_holds_no_other_up(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A map that runs into its limit for every document takes half a second for each."""
    steps: list[int] = []
    plain = StaticMapper.map

    def slow(mapper: StaticMapper, some: Sequence[SourceDocument], load: Load) -> list[Mapped]:
        if "age" in mapper.fields:
            steps.append(len(some))
            shop.clock.micros += 500_000 * len(some)
        return plain(mapper, some, load)

    monkeypatch.setattr(StaticMapper, "map", slow)
    shop.define("Quick", BY_NAME)
    shop.define("Slow", BY_AGE)
    for number in range(100):
        shop.put(f"users/{number}", name="Ann", age=number)
    while shop.round() and shop.entries("Quick") < 100:
        pass
    assert shop.entries("Slow") < 50, "the other did not wait for it"
    shop.go()
    assert (shop.entries("Slow"), sum(steps)) == (100, 100)
    assert steps[:3] == [4, 2, 2] and max(steps) == 4


def test_quick_steps_grow(shop: Workshop) -> None:
    shop.define("N", BY_NAME)
    for number in range(200):
        shop.put(f"users/{number}", name="Ann")
    assert shop.go() == 6, "of 4, 8, 16, 32, 64 and what is left"


def test_one_index_that_stumbles_holds_no_other_up(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.define("A", BY_NAME)
    shop.define("B", COUNTS, reduce=SUM)
    shop.put("users/1", name="Ann")
    shop.round()

    def broken(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr("quoth_node.indexing.batches.reduce_changes", broken)
    shop.put("users/2", name="Bob")
    shop.go()
    assert shop.served("A").activity is Activity.RUNNING and shop.entries("A") == 2
    index = shop.served("B")
    assert index.activity is Activity.FAULTY and "nobody foresaw this" in (index.error or "")


def test_fields_that_documents_made_keep_their_options(shop: Workshop) -> None:
    shop.define(
        "D", "from u in docs.Users select new { _ = CreateField(u.key, u.value, true, true) }"
    )
    shop.put("users/1", key="city", value="Oslo East")
    shop.go()
    made = shop.served("D").shape
    assert made is not None and made.fields["city"].is_stored
    shop.kill()
    shop.go()
    again = shop.served("D").shape
    assert again is not None and again.fields["city"] == made.fields["city"]
    shop.put("users/2", key="town", value="Rome")
    shop.kill()
    shop.go()
    last = shop.served("D").shape
    assert last is not None and {"city", "town"} <= set(last.fields)


def test_a_machine_that_was_opened_again_has_its_indexes(shop: Workshop) -> None:
    name = shop.define_automatic("Users", "name")
    shop.put("users/1", name="Ann")
    shop.go()
    shop.story.machine.checkpoint()
    shop.story.machine.close()
    shop.story.machine = Machine.open(shop.story.folder, map_bytes=MAP_BYTES)
    shop.kill()
    shop.go()
    assert shop.terms(name, "name") == ["ann"]
    assert shop.served(name).stats().counters["map attempts"] == 1
