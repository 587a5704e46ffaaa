"""What a settings file says is checked before anything starts."""

from datetime import timedelta
from pathlib import Path

import pytest

from quoth_cluster.raft.tls import LinkTls
from quoth_node.config import NodeConfig, RaftConfig
from quoth_node.errors import BadConfig
from quoth_node.settings import Settings, read_settings
from tests.certificates import Authority, make_authority

TLS = """
[tls]
certificate = "ca/{tag}.crt"
key = "ca/{tag}.key"
ca = "ca/ca.crt"
"""


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return make_authority(tmp_path / "ca")


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_without_a_file_there_are_defaults() -> None:
    assert read_settings(None, tag="A") == Settings(RaftConfig())


def test_settings_come_from_a_file(settings: Path) -> None:
    settings.write_text("[raft]\nheartbeat_ms = 50\n")
    assert read_settings(settings, tag="A") == Settings(RaftConfig(heartbeat_ms=50))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("raft = 7\n", "raft must be a table"),
        ("tls = 'yes'\n", "tls must be a table"),
        ("[http]\n", "unknown setting http"),
        ("[tls]\ncertificates = 'x'\n", "unknown setting tls.certificates"),
        ("[tls]\n", "tls.ca must be the path"),
        ("[tls]\nca = 'x'\nkey = 'x'\ncertificate = 7\n", "tls.certificate must be the path"),
        (TLS, "B.crt cannot be read: No such file"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: Path, content: str, said: str) -> None:
    settings.write_text(content)
    with pytest.raises(BadConfig, match=said):
        read_settings(settings, tag="B")


def test_paths_start_at_the_file_and_name_the_node(
    settings: Path, ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {tag: ca.issue(tag) for tag in ("A", "B")}
    settings.write_text(TLS)
    for tag, expected in files.items():
        assert read_settings(settings, tag=tag).tls == expected
    monkeypatch.chdir(settings.parent)
    assert read_settings(Path(settings.name), tag="B").tls == files["B"]


def test_files_that_cannot_work_stop_the_start(settings: Path, ca: Authority) -> None:
    settings.write_text(TLS)
    ca.issue("A").key.chmod(0o644)
    with pytest.raises(BadConfig, match=r"node A cannot use TLS: key .* has mode 0644"):
        read_settings(settings, tag="A")
    ca.issue("B", ends=-timedelta(hours=1))
    with pytest.raises(BadConfig, match=r"node B cannot use TLS: .* certificate has expired"):
        read_settings(settings, tag="B")
    ca.issue("C", uris=("quoth:node:D",))
    with pytest.raises(BadConfig, match=r"node C cannot use TLS: .* names node D, not C"):
        read_settings(settings, tag="C")


def test_with_tls_links_may_leave_this_machine_and_http_may_not() -> None:
    tls = LinkTls(Path("a.crt"), Path("a.key"), Path("ca.crt"))
    folder = Path("somewhere")
    config = NodeConfig(tag="A", http_port=8080, folder=folder, peer_host="10.0.0.1", tls=tls)
    assert config.peer_address(9000) == "10.0.0.1:9000"
    assert config.url == "http://127.0.0.1:8080"
    with pytest.raises(BadConfig, match=r"no TLS for HTTP yet: use .* --insecure"):
        NodeConfig(tag="A", http_port=8080, folder=folder, http_host="10.0.0.1", tls=tls)
    with pytest.raises(BadConfig, match=r"no TLS for links: .* --insecure"):
        NodeConfig(tag="A", http_port=8080, folder=folder, peer_host="10.0.0.1")
    with pytest.raises(BadConfig, match="must not be empty"):
        NodeConfig(tag="A", http_port=8080, folder=folder, peer_host="", tls=tls)
