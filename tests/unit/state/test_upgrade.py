"""A state of the first format is opened, and becomes what the present one would have made."""

from pathlib import Path

import orjson

from quoth_cluster import collection_totals, upgrade
from quoth_cluster.collection_totals import CollectionTotals
from quoth_cluster.commands import PutCompareExchange
from quoth_cluster.machine import Machine
from quoth_cluster.store import keys, schema
from quoth_cluster.store.environment import Environment
from quoth_cluster.store.schema import Layout
from tests.unit.state.story import MAP_BYTES, Story, delete, dump, put

# As they were in format 1.
STORE_1 = Layout("store format", 1, 1)
COLLECTION_1 = Layout("collection", 1, 2)
COMPARE_EXCHANGE_1 = Layout("compare-exchange value", 1, 2)
DATABASE_1 = Layout("database record", 1, 8)


def expiring(at: str) -> bytes:
    return orjson.dumps({"Object": 1, "@metadata": {"@expires": at}})


def filled(folder: Path) -> Story:
    story = Story(folder)
    story.save(*(put(f"users/{number}", body=b'{"n":%d}' % number) for number in range(12)))
    story.save(put("gone/1", collection="Gone"), put("orders/1", collection="Orders"))
    story.save(delete("gone/1"), delete("users/3"), delete("users/4"))
    story.save(put("users/3", collection="Orders"), put("users/4"))
    story.agree(
        PutCompareExchange("plain", 0, b'{"Object":1}'),
        PutCompareExchange("ends", 0, expiring("2030-01-01T00:00:00Z")),
        PutCompareExchange("x" * 500, 0, expiring("2031-01-01T00:00:00Z")),
    )
    story.machine.checkpoint()
    return story


def write_as_format_1(environment: Environment, kind: str) -> None:
    with environment.write() as txn:
        for row, _ in list(txn.scan(keys.EXPIRIES)):
            txn.delete(row)
        for row, value in list(txn.scan(keys.COLLECTIONS)):
            name, documents, *_ = schema.COLLECTION.unpack(value)[0]
            txn.delete(row)  # only those with documents had a row
            if documents:
                txn.put(row, COLLECTION_1.pack(name, documents))
        for row, value in list(txn.scan(keys.COMPARE_EXCHANGE)):
            (key, index, _), raw = schema.COMPARE_EXCHANGE.unpack(value)
            txn.put(row, COMPARE_EXCHANGE_1.pack(key, index, raw=raw))
        for row, value in list(txn.scan(keys.DATABASES)):
            header, raw = schema.DATABASE.unpack(value)
            txn.put(row, DATABASE_1.pack(*header[:8], raw=raw))
        txn.put(keys.STORE, STORE_1.pack(kind))
    environment.sync()


def write_all_as_format_1(story: Story) -> None:
    write_as_format_1(story.machine._environment, "group")
    database = story.machine.database("db")
    assert database is not None
    write_as_format_1(database.environment, "database")
    story.machine.close()


def without_unchanged(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Values that no time is told of stay in the format they have."""
    return {
        row: value
        for row, value in rows.items()
        if not row.startswith((keys.DATABASES, keys.COMPARE_EXCHANGE + b"plain"))
    }


def test_a_state_of_the_first_format_becomes_one_of_the_present(tmp_path: Path) -> None:
    story = filled(tmp_path / "state")
    expected, records = story.dump(), story.machine.databases()
    write_all_as_format_1(story)
    machine = Machine.open(tmp_path / "state", map_bytes=MAP_BYTES)
    assert machine.databases() == records
    upgraded = dump(machine)
    for name in ("group", "db"):
        assert without_unchanged(upgraded[name]) == without_unchanged(expected[name])
    story.machine = machine
    assert story.value("plain") is not None and story.value("ENDS") is not None
    machine.close()


def test_a_snapshot_of_the_first_format_is_upgraded_where_it_is_installed(tmp_path: Path) -> None:
    ahead = filled(tmp_path / "ahead")
    expected = ahead.dump()["db"]
    database = ahead.machine.database("db")
    assert database is not None
    write_as_format_1(ahead.machine._environment, "group")
    write_as_format_1(database.environment, "database")
    frozen = ahead.machine.freeze()
    frozen.copy_to(tmp_path / "copy")
    frozen.release()
    ahead.machine.close()
    behind = Machine.open(tmp_path / "behind", map_bytes=MAP_BYTES)
    behind.install(tmp_path / "copy")
    assert without_unchanged(dump(behind)["db"]) == without_unchanged(expected)
    behind.close()


def test_an_upgrade_that_lost_power_is_done_again(tmp_path: Path) -> None:
    story = filled(tmp_path / "state")
    expected = story.dump()["db"]
    write_all_as_format_1(story)
    (path,) = (tmp_path / "state" / "databases").iterdir()
    environment = Environment.open(path, map_bytes=MAP_BYTES)
    txn = environment.begin()
    upgrade._sum_collections(txn)
    txn.abort()
    environment.close()
    machine = Machine.open(tmp_path / "state", map_bytes=MAP_BYTES)
    assert without_unchanged(dump(machine)["db"]) == without_unchanged(expected)
    machine.close()


def test_collections_come_to_what_is_in_them(tmp_path: Path) -> None:
    story = filled(tmp_path / "state")
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        by_name = {one.name: one for one in collection_totals.every(txn)}
    assert by_name["Gone"] == CollectionTotals("Gone", 0, 0, 1, by_name["Gone"].tombstone_bytes)
    metadata = len(b'{"@collection":"Users"}')
    assert by_name["Users"].documents == 11
    bodies = sum(len(b'{"n":%d}' % n) for n in range(12) if n not in (3, 4)) + len(b'{"name":"x"}')
    assert by_name["Users"].document_bytes == 11 * metadata + bodies
    assert by_name["Users"].tombstones == 1, "users/3 is in another collection now"
    story.save(delete("users", prefixed=True), delete("orders", prefixed=True))
    with database.read() as txn:
        after = {one.name: one for one in collection_totals.every(txn)}
    assert all(one.documents == one.document_bytes == 0 for one in after.values())
    assert after["Users"].tombstones == 12
    story.machine.close()
