"""Whatever is saved, deleted, cut short and killed, in any order: indexes end as if nothing was.

Documents and indexes are few and batches small, so that everything meets everything.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.indexing import stepping
from quoth_node.indexing.store import IndexStore, load_fields
from tests.unit.indexing.workshop import Workshop
from tests.unit.state.story import STEADY

NAMES, COMPANIES, PLACES = ("ann", "bob", "cid"), ("c/1", "c/2"), 5
PLAIN = "from u in docs.Users select new { u.name }"
COUNTS = "from u in docs.Users select new { u.name, Count = 1 }"
SUM = (
    "from r in results group r by r.name into g "
    "select new { name = g.Key, Count = g.Sum(x => x.Count) }"
)
LOADS = (
    'from u in docs.Users let c = LoadDocument(u.company, "Companies") '
    "select new { company = c.name }"
)

PUT = st.tuples(
    st.just("put"),
    st.integers(0, PLACES - 1),
    st.sampled_from(["Users", "Users", "Others"]),
    st.sampled_from(NAMES),
    st.sampled_from(COMPANIES),
)
DELETE = st.tuples(st.just("delete"), st.integers(0, PLACES - 1))
COMPANY = st.tuples(st.just("company"), st.sampled_from(COMPANIES), st.sampled_from([*NAMES, None]))
WORK = st.sampled_from([("round",), ("kill",), ("crash",), ("reset",)])
STEPS = st.lists(st.one_of(PUT, PUT, DELETE, COMPANY, WORK, WORK), max_size=40)


def rows(shop: Workshop, name: str, field: str) -> dict[str, Any]:
    """The value of a field by document."""
    with shop.served(name).readers.one() as connection:
        known = load_fields(connection).get(field)
        ids = {row[0]: None for row in connection.rows("SELECT id FROM entries")}
        if known is None:
            return ids
        sql = (
            f"SELECT e.id, t.value FROM entries e JOIN terms_{known.number} t ON t.entry = e.entry"
        )
        found = connection.rows(sql)
    assert len(found) == len({row[0] for row in found}), "one entry a document"
    return ids | dict(found)


def results(shop: Workshop, name: str) -> dict[str, int]:
    """What a reduce came to."""
    with shop.served(name).readers.one() as connection:
        found = [orjson.loads(row[0]) for row in connection.rows("SELECT result FROM entries")]
    assert len(found) == len({one["name"] for one in found}), "one result a key"
    return {one["name"]: one["Count"] for one in found}


class Cut(Exception):
    """The end of a process, in the middle of a batch."""


def cut_short(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A life that ends before its batch is committed, if it has one."""

    def advance(*_: object) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(IndexStore, "advance", advance)
        shop.round()
    shop.kill()


class Model:
    """The documents, in plain dictionaries."""

    def __init__(self) -> None:
        self.documents: dict[int, tuple[str, str, str]] = {}
        self.companies: dict[str, str] = {}

    def users(self) -> dict[str, tuple[str, str]]:
        return {
            f"d/{number}": (name, company)
            for number, (collection, name, company) in self.documents.items()
            if collection == "Users"
        }

    def check(self, shop: Workshop) -> None:
        users = self.users()
        assert rows(shop, "Plain", "name") == {one: name for one, (name, _) in users.items()}
        assert results(shop, "Counts") == Counter(name for name, _ in users.values())
        loaded = {one: self.companies.get(company) for one, (_, company) in users.items()}
        assert rows(shop, "Loads", "company") == loaded


def carry_out(shop: Workshop, model: Model, step: tuple[Any, ...], cut: Any) -> None:
    match step:
        case "put", number, collection, name, company:
            former = model.documents.get(number)
            if former is not None and former[0] != collection:
                shop.delete(f"d/{number}")  # a document cannot change its collection
            shop.put(f"d/{number}", collection, name=name, company=company)
            model.documents[number] = collection, name, company
        case "delete", number:
            shop.delete(f"d/{number}")
            model.documents.pop(number, None)
        case "company", company, None:
            shop.delete(company)
            model.companies.pop(company, None)
        case "company", company, name:
            shop.put(company, "Companies", name=name)
            model.companies[company] = name
        case ("round",):
            shop.round()
        case ("kill",):
            shop.kill()
        case ("crash",):
            cut_short(shop, cut)
        case ("reset",):
            shop.say_reset("Plain")


@settings(STEADY, max_examples=40)
@given(steps=STEPS)
def test_indexes_end_as_if_nothing_was_cut_short(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[tuple[Any, ...]],
) -> None:
    monkeypatch.setattr(stepping, "BATCH_DOCUMENTS", 2)
    monkeypatch.setattr(stepping, "REDUCED_DOCUMENTS", 3)
    shop, model = Workshop(tmp_path_factory.mktemp("shop")), Model()
    shop.define("Plain", PLAIN)
    shop.define("Counts", COUNTS, reduce=SUM)
    shop.define("Loads", LOADS)
    for step in steps:
        carry_out(shop, model, step, monkeypatch)
    shop.go()
    model.check(shop)
    shop.kill()
    shop.go()
    model.check(shop)
    shop.builder.close()
    shop.story.machine.close()


def test_a_batch_is_cut_short_where_the_model_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the story above stands on: the cut is behind the entries, and takes them back."""
    shop = Workshop(tmp_path)
    shop.define("Plain", PLAIN)
    shop.go()
    shop.put("d/1", name="ann")
    written: list[int] = []
    original = IndexStore.add_entries

    def add(self: IndexStore, *args: Any, **more: Any) -> None:
        original(self, *args, **more)
        written.append(1)

    monkeypatch.setattr(IndexStore, "add_entries", add)
    cut_short(shop, monkeypatch)
    assert written and rows(shop, "Plain", "name") == {}
    shop.go()
    assert rows(shop, "Plain", "name") == {"d/1": "ann"}
    shop.builder.close()
    shop.story.machine.close()
