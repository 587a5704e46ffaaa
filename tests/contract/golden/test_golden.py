"""Every recorded exchange is answered as a real server answered it, or listed as not covered yet.

not_covered.txt only shrinks: what is listed and works fails here until it is taken off the list.
"""

from collections.abc import Iterator

import pytest
import requests

from scripts.local_cluster import LocalCluster
from tests.contract.golden.expected import DEVIATIONS, read_not_covered
from tests.contract.golden.placeholders import Bindings
from tests.contract.golden.recordings import Exchange, golden_folder, read_exchanges
from tests.contract.golden.replay import replay

NOT_COVERED_MAX = 0  # never raise this
EXCHANGES = read_exchanges(golden_folder())
NO_RECORDINGS = pytest.mark.skipif(
    not EXCHANGES, reason=f"no recordings in {golden_folder()}; set QUOTH_GOLDEN to their folder"
)
Replayed = tuple[dict[str, list[str]], Bindings]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """All exchanges, sent once to a node of their own."""
    with LocalCluster(tmp_path_factory.mktemp("golden") / "cluster", nodes=1) as running:
        url = running.urls[0]
        # The recorded server had another database, which shows in the list of names.
        requests.put(
            f"{url}/admin/databases?name=bench", json={"DatabaseName": "bench"}, timeout=30
        ).raise_for_status()
        yield replay(url, EXCHANGES, DEVIATIONS)


@NO_RECORDINGS
@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_a_recorded_exchange(exchange: Exchange, replayed: Replayed) -> None:
    found = replayed[0][exchange.name]
    reason = read_not_covered().get(exchange.name)
    if reason is None:
        assert not found, "\n" + "\n".join(found)
    else:
        assert found, f"works now: take {exchange.name} out of not_covered.txt"


@NO_RECORDINGS
def test_later_commands_have_higher_indexes(replayed: Replayed) -> None:
    actual = [index for _, index in replayed[1].indexes()]
    assert actual == sorted(actual)


@NO_RECORDINGS
def test_the_lists_name_what_was_recorded() -> None:
    names = {exchange.name for exchange in EXCHANGES}
    assert not read_not_covered().keys() - names
    assert not DEVIATIONS.keys() - names


def test_the_list_of_what_is_not_covered_only_shrinks() -> None:
    listed = read_not_covered()
    assert len(listed) <= NOT_COVERED_MAX
    assert list(listed) == sorted(listed)
    assert not listed.keys() & DEVIATIONS.keys()
