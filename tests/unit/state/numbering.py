"""Words for the stories about sequences."""

import orjson

from quoth_cluster import sequences
from quoth_cluster.commands import SaveBatch, SaveNumbered
from quoth_cluster.outcomes import NumberedSaved
from quoth_cluster.sequence_commands import NumberPlace, SequenceUse, TakeNumbers
from quoth_cluster.sequences import Numbers, NumberState, Sequence
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn
from tests.unit.state.story import AT, Story, put

BODY = b'{"Number":null}'
HERE = NumberPlace(0, "/Number")


def taking(
    name: str,
    *places: NumberPlace,
    count: int = 1,
    initial: int | None = None,
    reset: int | None = None,
) -> TakeNumbers:
    """Take numbers of `name`."""
    return TakeNumbers.of(SequenceUse(name, initial, reset), count, places)


def numbered(
    document_id: str,
    *,
    name: str = "invoices",
    initial: int | None = None,
    reset: int | None = None,
    request_id: str | None = None,
) -> SaveNumbered:
    """Save one document with the next number of `name` in it."""
    return SaveNumbered(
        SaveBatch("db", AT, "A", (put(document_id, body=BODY, collection="Invoices"),)),
        (taking(name, HERE, initial=initial, reset=reset),),
        request_id,
    )


def values(outcome: object) -> list[int]:
    """The numbers that a save took."""
    assert isinstance(outcome, NumberedSaved), outcome
    return [value for part in outcome.taken for value in part.values]


def number_in(story: Story, document_id: str) -> object:
    """What stands at `Number` in a document."""
    return orjson.loads(story.loaded(document_id).body)["Number"]


def sequence(story: Story, name: str) -> Sequence | None:
    """The sequence as it stands."""
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        return sequences.get(txn, name)


def rows(story: Story, name: str) -> list[Numbers]:
    """Who holds the numbers of a sequence, in order."""
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        found = sequences.get(txn, name)
        return [] if found is None else list(sequences.numbers(txn, found))


def holders(story: Story, name: str) -> list[tuple[int, str]]:
    """Number and document of all that documents hold."""
    found = sequence(story, name)
    assert found is not None
    return [
        (found.value_at(row.ordinal), row.holder)
        for row in rows(story, name)
        if row.state is NumberState.DOCUMENT
    ]


def check(txn: ReadTxn) -> None:
    """What must hold of all sequences of a database, whatever was done to it."""
    known = set()
    reserved_rows = set()
    for found in sequences.every(txn):
        known.add(found.number)
        at, counts = 1, dict.fromkeys(NumberState, 0)
        for row in sequences.numbers(txn, found):
            assert row.ordinal == at and row.count > 0, "rows follow each other"
            at = row.end
            counts[row.state] += row.count
            if row.state is NumberState.RESERVED:
                reserved_rows.add((row.until_micros, found.number, row.ordinal))
                assert row.token is not None
        assert at == found.taken + 1, "all that were taken are written down, and no more"
        assert counts[NumberState.RESERVED] == found.reserved
        assert counts[NumberState.VOID] == found.void
    left = {keys.numbers_of(key)[0] for key, _ in txn.scan(keys.SEQUENCES_LEFT)}
    for key, _ in txn.scan(keys.NUMBERS):
        assert keys.numbers_of(key)[0] in known | left, "rows of no sequence"
    due = {keys.numbers_of(key) for key, _ in txn.scan(keys.RESERVATIONS_DUE)}
    assert {row for row in due if row[1] in known} == reserved_rows
