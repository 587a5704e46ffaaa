"""The terms of a field are shown as texts, in order, whatever they are, page by page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from quoth_node.indexing.sqlite import IndexFileError, QueryInterrupted
from tests.unit.indexing.workshop import Workshop

ALL = ["-1", "1.5", "10", "9", "NULL_VALUE", "ann", "true", "ä"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    shop = Workshop(tmp_path)
    yield shop
    shop.builder.close()
    shop.story.machine.close()


@pytest.fixture
def mixed(shop: Workshop) -> Workshop:
    """An index with values of all kinds, most of them twice."""
    shop.define("V", "from u in docs.Users select new { u.v }")
    for number, value in enumerate(["Ann", "ann", 10, 10.0, 9, -1, 1.5, True, None, "Ä", ["ä"]]):
        shop.put(f"users/{number}", v=value)
    shop.go()
    return shop


def test_all_kinds_of_values_have_their_place(mixed: Workshop) -> None:
    assert mixed.terms("V", "v") == ALL
    assert mixed.terms("V", "nothing") == []


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_come_to_all_of_them(mixed: Workshop, size: int) -> None:
    index, found, after = mixed.served("V"), list[str](), None
    while page := index.terms("v", after, size):
        assert len(page) <= size
        found += page
        after = page[-1]
    assert found == ALL


def test_of_a_full_text_field_they_are_its_words(shop: Workshop) -> None:
    fields = {"text": {"Indexing": "Search"}}
    shop.define("T", "from u in docs.Users select new { u.text }", fields=fields)
    shop.put("users/1", text="The Quick brown fox")
    shop.put("users/2", text="a BROWN ärmel")
    shop.go()
    assert shop.terms("T", "text") == ["brown", "fox", "quick", "ärmel"]
    assert shop.served("T").terms("text", "brown", 2) == ["fox", "quick"]


def test_the_deadline_of_a_query_ends_with_it(mixed: Workshop) -> None:
    readers = mixed.served("V").readers
    counting = "SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 9999"
    many = f"WITH RECURSIVE n(x) AS ({counting}) SELECT x FROM n"
    with readers.one() as connection:
        with pytest.raises(QueryInterrupted), connection.watched(lambda: True, every=100):
            connection.rows(many)
        lent = connection
    with readers.one() as connection:
        assert connection is lent
        assert len(connection.rows(many)) == 9999


def test_what_is_at_hand_waits_for_nobody_and_what_failed_is_not_kept(mixed: Workshop) -> None:
    readers = mixed.served("V").readers
    with readers.one() as first, readers.at_hand() as none:
        assert none is None
    with readers.at_hand() as second:
        assert second is first
    with pytest.raises(IndexFileError), readers.one() as third:
        assert third is first
        third.rows("SELECT nothing FROM nowhere")
    with readers.at_hand() as none:
        assert none is None
