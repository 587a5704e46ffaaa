"""A cluster whose nodes know each other by certificates, started by the real command line."""

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from scripts.local_cluster import LocalCluster, free_ports, quoth, wait_for
from tests.certificates import Authority, make_authority

SOON_SECONDS = 30.0
SETTINGS = """
[tls]
certificate = "certificates/{tag}.crt"
key = "certificates/{tag}.key"
ca = "certificates/ca.crt"
"""


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    """A CA with certificates for A, B and C, and a settings file beside its folder."""
    authority = make_authority(tmp_path / "certificates")
    for tag in "ABC":
        authority.issue(tag)
    (tmp_path / "settings.toml").write_text(SETTINGS)
    return authority


@pytest.fixture
def secured(ca: Authority, tmp_path: Path) -> Iterator[LocalCluster]:
    """Three nodes that speak TLS, running."""
    options = ("--config", str(tmp_path / "settings.toml"), "--restart")
    with LocalCluster(tmp_path / "cluster", options=options) as running:
        yield running


def peer_port(cluster: LocalCluster, tag: str) -> int:
    return int(json.loads((cluster.folder / tag / "node.json").read_text())["peer_port"])


def put(url: str, document_id: str, number: int) -> int:
    answer = requests.put(
        f"{url}/databases/shop/docs", params={"id": document_id}, json={"n": number}, timeout=30
    )
    return int(answer.status_code)


def get(url: str, document_id: str) -> object:
    answer = requests.get(f"{url}/databases/shop/docs", params={"id": document_id}, timeout=30)
    answer.raise_for_status()
    return answer.json()["Results"][0]["n"]


def node_start(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `quoth node start` for node A to its end."""
    return subprocess.run(
        quoth(*("node", "start", "--tag", "A", "--data", str(folder)), *arguments),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_is_lost_when_a_leader_dies(secured: LocalCluster, ca: Authority) -> None:
    requests.put(
        f"{secured.urls[0]}/admin/databases",
        params={"name": "shop"},
        json={"DatabaseName": "shop"},
        timeout=30,
    ).raise_for_status()
    for number in range(30):
        assert put(secured.urls[number % 3], f"orders/{number}", number) == 201
    leader, term = secured.leader(), secured.term()
    for tag in "ABC":
        ca.issue(tag)  # renewed while it runs: who comes back shows the new one
    secured.kill(leader)
    secured.leader(after_term=term)
    secured.wait_until_ready(leader)
    for url in secured.urls:
        assert [get(url, f"orders/{number}") for number in range(30)] == list(range(30))
    assert put(secured.url(leader), "orders/30", 30) == 201


def test_the_peer_port_speaks_tls_and_to_nodes_only(
    secured: LocalCluster, ca: Authority, tmp_path: Path
) -> None:
    port = peer_port(secured, "A")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(b"\x00\x00\x00\x01\x80" + bytes(16))
        _hear_the_end(plain)
    context = ssl.create_default_context(cafile=str(ca.path))
    context.check_hostname = False
    client = ca.issue("client", uris=())
    context.load_cert_chain(client.certificate, client.key)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        context.wrap_socket(raw) as connection,
    ):
        assert connection.version() == "TLSv1.3"
        _hear_the_end(connection)
    log = (secured.folder / "A" / "node.log").read_text()
    assert "refused a certificate on a link: it names no nodes" in log


def test_a_node_with_a_certificate_joins_and_one_without_does_not(
    secured: LocalCluster, ca: Authority, tmp_path: Path
) -> None:
    ca.issue("D")
    settings = tmp_path / "settings.toml"
    stranger = subprocess.Popen(
        quoth(
            *("node", "start", "--tag", "E", "--port", str(free_ports(1))),
            *("--data", str(tmp_path / "E"), "--join", secured.urls[0]),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    port = free_ports(1)
    newcomer = subprocess.Popen(
        quoth(
            *("node", "start", "--tag", "D", "--port", str(port), "--config", str(settings)),
            *("--data", str(tmp_path / "D"), "--join", secured.urls[0]),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert newcomer.stdout is not None
        assert newcomer.stdout.readline().decode() == f"ready http://127.0.0.1:{port}\n"
        assert stranger.wait(SOON_SECONDS) != 0, "it is not added: nobody reaches it"
        answer = requests.get(f"{secured.urls[0]}/admin/cluster/log", timeout=30).json()
        assert [member["Tag"] for member in answer["Members"]] == ["A", "B", "C", "D"]
    finally:
        for process in (newcomer, stranger):
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("expired", "certificate has expired"),
        ("another tag", "names node B, not A"),
        ("open key", "has mode 0644"),
        ("another key", "do not belong together"),
        ("missing", "cannot be read: No such file"),
    ],
)
def test_files_that_cannot_work_are_one_line_and_exit_code_2(
    ca: Authority, tmp_path: Path, case: str, said: str
) -> None:
    files = ca.issue("A")
    match case:
        case "expired":
            ca.issue("A", ends=timedelta(hours=-1))
        case "another tag":
            ca.issue("A", uris=("quoth:node:B",))
        case "open key":
            files.key.chmod(0o644)
        case "another key":
            files.key.write_bytes((ca.folder / "B.key").read_bytes())
        case _:
            files.certificate.unlink()
    port = str(free_ports(3))
    settings = ("--port", port, "--config", str(tmp_path / "settings.toml"))
    alone = node_start(tmp_path / "a", *settings)
    together = subprocess.run(
        quoth("cluster", "start", "--data", str(tmp_path / "cluster"), *settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    for finished in (alone, together):
        assert finished.returncode == 2 and finished.stdout == ""
        (line,) = finished.stderr.splitlines()
        assert line.startswith("quoth: node A cannot use TLS: ") and said in line
    assert not (tmp_path / "cluster").exists() and not (tmp_path / "a").exists()


def test_links_may_listen_everywhere_and_http_may_not(ca: Authority, tmp_path: Path) -> None:
    settings = ("--config", str(tmp_path / "settings.toml"), "--port", str(free_ports(1)))
    refused = node_start(tmp_path / "a", *settings, "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "no TLS for HTTP yet: use 127.0.0.1, or --insecure" in refused.stderr
    refused = node_start(tmp_path / "a", *settings[2:], "--peer-host", "0.0.0.0")
    assert refused.returncode == 2 and "no TLS for links" in refused.stderr
    node = subprocess.Popen(
        quoth(
            *("node", "start", "--tag", "A", "--data", str(tmp_path / "a"), *settings),
            *("--peer-host", "0.0.0.0"),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert node.stdout is not None and node.stdout.readline().startswith(b"ready ")
    finally:
        node.terminate()
        node.wait(20)


def _hear_the_end(connection: socket.socket) -> None:
    """It says nothing, but perhaps an alert, and hangs up."""

    def is_over() -> bool | None:
        try:
            return connection.recv(4_096) == b"" or None
        except TimeoutError:
            return None
        except OSError:
            return True

    wait_for(is_over, SOON_SECONDS, "it is not refused")
