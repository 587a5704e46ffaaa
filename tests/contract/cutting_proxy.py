"""Proxies in front of nodes that can lose an answer: the node did it, and the client is never told.

    client -> proxy of A -> node A          the answer comes back, or the connection ends instead
           -> proxy of B -> node B

Clients go from node to node by the topology, so the proxies write their own addresses into it.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

NODE_SECONDS_MAX = 30.0
OF_ONE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True, slots=True)
class Passed:
    """A request that a node has answered, and what it said."""

    url: str  # of the proxy
    method: str
    target: str
    body: bytes
    status: int
    answer: bytes
    was_cut: bool


class Proxies:
    """One proxy per node. `urls` are theirs, in the order of the nodes."""

    def __init__(self, node_urls: Sequence[str], urls: Sequence[str]) -> None:
        self.urls = list(urls)
        self.passed: list[Passed] = []
        self._replacements = [
            (node.encode(), proxy.encode()) for node, proxy in zip(node_urls, urls, strict=True)
        ]
        self._lock = Lock()
        self._cut: tuple[str, str] | None = None

    def cut_next(self, method: str, path: str) -> None:
        """Lose the answer to the next request with this method and this in its path."""
        with self._lock:
            self._cut = (method, path)
            self.passed.clear()

    def sent(self, path: str) -> list[Passed]:
        """What has passed since `cut_next` with this in its path; the first of it was cut."""
        with self._lock:
            assert self._cut is None, "no request has come whose answer could be cut"
            found = [passed for passed in self.passed if path in passed.target]
        assert [passed.was_cut for passed in found].index(True) == 0
        return found

    def pass_on(
        self, url: str, method: str, target: str, *, body: bytes, status: int, answer: bytes
    ) -> bytes | None:
        """What the client is told; None: nothing."""
        with self._lock:
            was_cut = self._cut is not None and method == self._cut[0] and self._cut[1] in target
            if was_cut:
                self._cut = None
            self.passed.append(Passed(url, method, target, body, status, answer, was_cut))
        if "/topology" in target:
            for node, proxy in self._replacements:
                answer = answer.replace(node, proxy)
        return None if was_cut else answer


@contextmanager
def proxies(node_urls: Sequence[str]) -> Iterator[Proxies]:
    """Proxies in front of nodes, within the block."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), _Connection))
            for _ in node_urls
        ]
        urls = [f"http://127.0.0.1:{server.server_port}" for server in servers]
        opened = Proxies(node_urls, urls)
        for server, node_url, url in zip(servers, node_urls, urls, strict=True):
            server.daemon_threads = True
            server.RequestHandlerClass = _handler(opened, node_url=node_url, url=url)
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
        yield opened


class _Connection(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    opened: Proxies
    node_url: str
    url: str

    def log_message(self, format: str, *args: object) -> None:
        """What passed is in `Proxies.passed`."""

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        node = HTTPConnection(urlsplit(self.node_url).netloc, timeout=NODE_SECONDS_MAX)
        try:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in (*OF_ONE_CONNECTION, "accept-encoding")
            }
            node.request(self.command, self.path, body=body or None, headers=headers)
            response = node.getresponse()
            answer = response.read()
        finally:
            node.close()
        told = self.opened.pass_on(
            self.url,
            self.command,
            self.path,
            body=body,
            status=response.status,
            answer=answer,
        )
        if told is None:
            self.close_connection = True
            return
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in OF_ONE_CONNECTION:
                self.send_header(name, value)
        if response.status != 304:
            self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(told)


def _handler(opened: Proxies, *, node_url: str, url: str) -> type[_Connection]:
    verbs = {f"do_{verb}": _Connection.serve for verb in ("GET", "PUT", "POST", "DELETE", "HEAD")}
    places = {"opened": opened, "node_url": node_url, "url": url}
    return type("Connection", (_Connection,), {**verbs, **places})
