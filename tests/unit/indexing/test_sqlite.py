"""A connection to the file of an index: what a query leaves behind."""

from pathlib import Path

import pytest

from quoth_node.indexing.sqlite import Connection, QueryInterrupted


def test_a_query_that_was_ended_leaves_no_transaction_behind(tmp_path: Path) -> None:
    """Its end was once ended, too, by who watched it; then no query could begin on the file."""
    connection = Connection(tmp_path / "index.sqlite", is_reader=False)
    is_over = False
    with pytest.raises(QueryInterrupted):
        with connection.watched(lambda: is_over, every=1), connection.snapshot():
            is_over = True
            connection.rows("SELECT 1")
    with connection.snapshot():
        assert connection.one("SELECT 2") == 2
    connection.close()
