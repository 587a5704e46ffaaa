"""The ids of requests: no two alike, and those of one moment side by side."""

import itertools
import uuid

import pytest

from quoth.clock import SystemClock


def test_a_request_id_is_a_uuid_that_no_other_request_has() -> None:
    clock = SystemClock()
    ids = [clock.new_request_id() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    for each in ids[:500]:
        found = uuid.UUID(each)
        assert (str(found), found.version, found.variant) == (each, 7, uuid.RFC_4122)


def test_later_request_ids_come_later_in_the_order_of_their_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nodes keep answers in that order: what is new changes few pages."""
    milliseconds = itertools.count(1_700_000_000_000, 7_000_003)
    monkeypatch.setattr("quoth.clock.time.time_ns", lambda: next(milliseconds) * 1_000_000)
    ids = [SystemClock().new_request_id() for _ in range(1_000)]
    assert ids == sorted(ids)
    assert int(ids[0].replace("-", "")[:12], 16) == 1_700_000_000_000
