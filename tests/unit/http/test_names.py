"""Whatever a database is called, its name leads nowhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.http.errors import BadRequest
from quoth_node.http.names import check_database_name, check_new_name

DEVICES = ["con", "PRN", "aux", "nul", "COM1", "lpt9", "clock", "conin", "CONOUT"]
PARTS = st.one_of(
    st.sampled_from(["/", "\\", "..", ".", "\0", ":", "~", " ", "\u2024", "\uff0e", "%2e"]),
    st.sampled_from([*DEVICES, "a", "Z", "9", "_", "-", "\u0130", "\u017f", "\u212a", "e\u0301"]),
    st.text(max_size=3),
)
NAMES = st.lists(PARTS, max_size=8).map("".join)
HARMLESS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


@settings(derandomize=True, deadline=None, max_examples=10_000)
@given(name=NAMES)
def test_no_name_leads_anywhere(name: str) -> None:
    try:
        assert check_new_name(name) == name
    except BadRequest as error:
        assert "cannot name a database" in str(error)
        return
    assert 1 <= len(name) <= 128 and set(name) <= HARMLESS
    assert all(name.split(".")), "no part of it is empty"
    assert name.partition(".")[0].lower() not in {device.lower() for device in DEVICES}


@pytest.mark.parametrize("name", ["a", "a.b", "My-Shop_1.0", "x" * 128, "console", "com", "nul1"])
def test_names_people_give(name: str) -> None:
    assert check_new_name(name) == name


@pytest.mark.parametrize("name", ["nul", ".a", "a..b"])
def test_a_database_with_such_a_name_from_before_is_still_reached(name: str) -> None:
    assert check_database_name(name) == name
