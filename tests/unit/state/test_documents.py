"""Documents in storage: what readers get, in which order, and what is counted."""

from contextlib import AbstractContextManager

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_cluster import documents, totals
from quoth_cluster.documents import StoredDocument
from quoth_cluster.store.environment import ReadTxn
from tests.unit.state.story import AT, AT_WIRE, DATABASE_ID, STEADY, Story, delete, put


def stored(
    body: bytes, metadata: bytes, *, document_id: str = "users/1", flags: str | None = None
) -> StoredDocument:
    return StoredDocument(document_id, "A:1-x", 1, "Users", AT, flags, metadata, body)


def test_a_loaded_document_is_spliced() -> None:
    document = stored(b'{"name":"x"}', b'{"@collection":"Users"}', flags="FromClusterTransaction")
    metadata = (
        b'"@metadata":{"@collection":"Users","@change-vector":"A:1-x",'
        b'"@flags":"FromClusterTransaction","@id":"users/1","@last-modified":"%b"}}'
        % AT_WIRE.encode()
    )
    assert document.to_json() == b'{"name":"x",' + metadata
    assert document.metadata_json() == b"{" + metadata


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
KEYS = st.text(max_size=6).filter(lambda key: not key.startswith("@"))


@STEADY
@given(
    st.dictionaries(KEYS, JSON_VALUES, max_size=4),
    st.dictionaries(KEYS, JSON_VALUES, max_size=4),
    st.text(min_size=1, max_size=20),
    st.booleans(),
)
def test_a_spliced_document_is_the_json_it_should_be(
    body: dict[str, object], metadata: dict[str, object], document_id: str, indented: bool
) -> None:
    option = orjson.OPT_INDENT_2 if indented else 0
    document = stored(
        orjson.dumps(body, option=option),
        orjson.dumps(metadata, option=option),
        document_id=document_id,
    )
    shown = {
        **metadata,
        "@change-vector": "A:1-x",
        "@id": document_id,
        "@last-modified": AT_WIRE,
    }
    assert orjson.loads(document.to_json()) == {**body, "@metadata": shown}
    assert orjson.loads(document.metadata_json()) == {"@metadata": shown}


def test_empty_objects_splice_without_a_comma() -> None:
    for empty in (b"{}", b"{ }", b"{\n}"):
        assert orjson.loads(stored(empty, empty).to_json())["@metadata"]["@id"] == "users/1"


def test_ids_are_told_apart_without_case_and_keep_the_latest(story: Story) -> None:
    story.save(put("Users/Éa"))
    assert story.loaded("users/ÉA").document_id == "Users/Éa"
    story.save(put("users/éa", body=b'{"n":2}'))
    assert story.loaded("USERS/ÉA").document_id == "users/éa"
    with read(story) as txn:
        assert documents.count(txn) == 1


def test_a_folded_beginning_is_the_beginning_of_the_folded() -> None:
    # str.lower makes a final sigma of the last letter, so it is not asked for whole words.
    assert documents.fold_id("ΟΔΟΣ/1").startswith(documents.fold_id("ΟΔΟΣ"))
    assert documents.fold_id("ΑΣΑ").startswith(documents.fold_id("ΑΣ"))


def test_prefixes_list_in_the_order_of_ids(story: Story) -> None:
    ids = ["users/2", "Users/10", "users/1", "users/é", "orders/1", "users"]
    story.save(*[put(document_id) for document_id in ids])
    with read(story) as txn:
        found = [d.document_id for d in documents.starting_with(txn, "USERS/")]
        assert found == ["users/1", "Users/10", "users/2", "users/é"]
        rest = documents.starting_with(txn, "users/", start_after="users/10")
        assert [d.document_id for d in rest] == ["users/2", "users/é"]
        assert not list(documents.starting_with(txn, "users/", start_after="users0"))
        everything = documents.starting_with(txn, "", start_after="a")
        assert len(list(everything)) == 6


LONG = st.text("abcé", min_size=0, max_size=6).map(lambda tail: ("x" * 445 + tail)[:512])
IDS = st.one_of(st.text("abÀ-", min_size=1, max_size=5), LONG, st.just("x" * 512))


@settings(STEADY, max_examples=60)
@given(st.lists(IDS, min_size=1, max_size=12), IDS, IDS)
def test_long_ids_list_in_order_too(
    story: Story, ids: list[str], prefix: str, start_after: str
) -> None:
    story.save(delete("x", prefixed=True), delete("a", prefixed=True), delete("b", prefixed=True))
    story.save(delete("à", prefixed=True), delete("-", prefixed=True))
    story.save(*[put(document_id) for document_id in ids])
    folded = sorted({documents.fold_id(document_id) for document_id in ids})
    beginning, after = documents.fold_id(prefix), documents.fold_id(start_after)
    with read(story) as txn:
        assert documents.count(txn) == len(folded)
        for document_id in ids:
            assert documents.load(txn, document_id) is not None
        found = [documents.fold_id(d.document_id) for d in documents.starting_with(txn, prefix)]
        assert found == [one for one in folded if one.startswith(beginning)]
        rest = documents.starting_with(txn, prefix, start_after=start_after)
        assert [documents.fold_id(d.document_id) for d in rest] == [
            one for one in folded if one.startswith(beginning) and one > after
        ]


def test_changes_are_read_by_etag(story: Story) -> None:
    story.save(put("a"), put("b"), put("c"), put("a"), delete("b"))
    with read(story) as txn:
        assert [d.etag for d in documents.oldest_first(txn)] == [3, 4]
        assert [d.document_id for d in documents.newest_first(txn)] == ["a", "c"]
        assert [d.document_id for d in documents.oldest_first(txn, after_etag=3)] == ["a"]
        assert (documents.last_etag(txn), documents.last_document_etag(txn)) == (5, 4)
        (tombstone,) = documents.tombstones(txn)
    assert (tombstone.document_id, tombstone.etag, tombstone.collection) == ("b", 5, "Users")
    assert (tombstone.change_vector, tombstone.at_micros) == (f"A:5-{DATABASE_ID}", AT)


def test_a_document_that_comes_back_has_no_tombstone(story: Story) -> None:
    story.save(put("a"), delete("a"), put("A"), delete("a"), put("a"))
    with read(story) as txn:
        assert documents.tombstone_count(txn) == 0 and not list(documents.tombstones(txn))


def test_a_document_that_comes_back_elsewhere_leaves_its_tombstone(story: Story) -> None:
    """Whoever follows the old collection would else keep it for ever."""
    story.save(put("a"), delete("a"), put("a", collection="Other"), delete("a"), put("a"))
    with read(story) as txn:
        found = [(tombstone.etag, tombstone.collection) for tombstone in documents.tombstones(txn)]
        assert found == [(2, "Users"), (4, "Other")]
        assert documents.tombstone_count(txn) == 2


def test_collections_are_counted(story: Story) -> None:
    story.save(put("a"), put("b", collection="users"), put("c", collection="Other"), put("a"))
    with read(story) as txn:
        assert documents.collections(txn) == {"Users": 2, "Other": 1}
    story.save(delete("c"), delete("a"))
    with read(story) as txn:
        assert documents.collections(txn) == {"Users": 1}
        assert documents.count(txn) == 1
        assert totals.load(txn).documents == 1


def test_an_empty_database_says_so(story: Story) -> None:
    with read(story) as txn:
        assert documents.last_document_etag(txn) == documents.last_etag(txn) == 0
        assert documents.collections(txn) == {} and documents.load(txn, "a") is None


def test_a_snapshot_does_not_change(story: Story) -> None:
    story.save(put("a"))
    with read(story) as txn:
        story.save(put("a", body=b'{"n":2}'), put("b"))
        document = documents.load(txn, "a")
        assert document is not None and document.etag == 1
        assert documents.load(txn, "b") is None


def read(story: Story) -> AbstractContextManager[ReadTxn]:
    database = story.machine.database("db")
    assert database is not None
    return database.read()
