"""A configuration that exists makes sense."""

from pathlib import Path

import pytest

from quoth_node.config import NodeConfig, RaftConfig, check_url
from quoth_node.errors import BadConfig

FOLDER = Path("somewhere")


def test_a_node_is_reached_where_it_listens() -> None:
    config = NodeConfig(tag="A", http_port=8080, folder=FOLDER)
    assert config.url == "http://127.0.0.1:8080"
    assert config.peer_address(9000) == "127.0.0.1:9000"


def test_a_node_is_reached_where_it_says() -> None:
    config = NodeConfig(
        tag="A",
        http_port=8080,
        folder=FOLDER,
        http_host="0.0.0.0",
        peer_host="::",
        advertised_host="fe80::1",
        insecure=True,
    )
    assert config.url == "http://[fe80::1]:8080"
    assert config.peer_address(9000) == "[fe80::1]:9000"


@pytest.mark.parametrize("tag", ["", "a", "ABCDE", "A1", "RAFT", "TRXN", "../A"])
def test_a_tag_that_cannot_name_a_node_is_refused(tag: str) -> None:
    with pytest.raises(BadConfig, match="tag"):
        NodeConfig(tag=tag, http_port=8080, folder=FOLDER)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.org"])
def test_an_address_that_others_reach_needs_a_word(host: str) -> None:
    with pytest.raises(BadConfig, match="--insecure"):
        NodeConfig(tag="A", http_port=8080, folder=FOLDER, http_host=host)
    NodeConfig(tag="A", http_port=8080, folder=FOLDER, http_host=host, insecure=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert NodeConfig(tag="A", http_port=8080, folder=FOLDER, http_host=host).http_host == host


@pytest.mark.parametrize(
    "url",
    ["", "A", "127.0.0.1:8080", "https://a:1", "http://a", "http://a:x", "http://:1"],
)
def test_what_is_no_address_of_a_node_is_refused(url: str) -> None:
    with pytest.raises(BadConfig, match="not a node's address"):
        check_url(url)


def test_an_election_outlasts_three_heartbeats() -> None:
    with pytest.raises(BadConfig, match="three times"):
        RaftConfig(heartbeat_ms=200, election_timeout_ms_min=600)
    with pytest.raises(BadConfig, match="more than"):
        RaftConfig(election_timeout_ms_max=600)
