"""A cluster on this machine, started by the real command line: for the demo, tests and experiments.

    with LocalCluster(folder) as cluster:
        cluster.kill(cluster.leader())
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import IO, Any, Self
from urllib.error import URLError
from urllib.request import urlopen

from quoth_node.testing.clock import wait_for
from quoth_node.testing.ports import free_ports

# What tests use with a cluster.
__all__ = ["LocalCluster", "free_ports", "quoth", "wait_for"]

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
ASK_SECONDS_MAX = 2.0
POLL_SECONDS = 0.02


class LocalCluster:
    """`quoth cluster start` in a process of its own. Nodes are named by their tags: A, B, C."""

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 3,
        port: int | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.nodes = nodes
        self.port = port or free_ports(nodes)
        self.urls: list[str] = []  # as the `ready` line gave them
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: Queue[str] = Queue()  # what it says on stdout

    @property
    def command(self) -> list[str]:
        """The command line that starts it."""
        return quoth(
            *("cluster", "start", "--nodes", str(self.nodes), "--port", str(self.port)),
            *("--data", str(self.folder), *self._options),
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The supervisor."""
        assert self._process is not None, "started"
        return self._process

    @property
    def errors(self) -> str:
        """What the supervisor has said on stderr."""
        return self._error_path.read_text() if self._error_path.exists() else ""

    @property
    def _error_path(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.stderr")

    def start(self) -> Self:
        """Start it, and return when it has said that it is ready.

        Raises RuntimeError with its words if it ends instead.
        """
        self.launch()
        line = self.next_line(START_SECONDS_MAX)
        if line is None or not line.startswith("ready "):
            self.stop()
            raise RuntimeError(f"the cluster did not start: {line} {self.errors.strip()}")
        self.urls = line.split()[1:]
        return self

    def launch(self) -> None:
        """Start it, and do not wait."""
        with self._error_path.open("ab") as errors:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        assert self._process.stdout is not None, "asked for above"
        self._lines = Queue()
        Thread(target=_read_lines, args=(self._process.stdout, self._lines), daemon=True).start()

    def next_line(self, timeout_seconds: float) -> str | None:
        """The next line on its stdout; None if it ends, or says nothing in time."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            try:
                return self._lines.get(timeout=POLL_SECONDS)
            except Empty:
                if self.process.poll() is not None and self._lines.empty():
                    return None
        return None

    def stop(self) -> int:
        """End it as a person would; its exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its nodes die with it
            return self._process.wait()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def tags(self) -> list[str]:
        """The names of its nodes."""
        return [chr(ord("A") + number) for number in range(self.nodes)]

    def url(self, tag: str) -> str:
        """Where a node answers."""
        return f"http://127.0.0.1:{self.port + ord(tag) - ord('A')}"

    def pid(self, tag: str) -> int:
        """The process of a node."""
        return int((self.folder / tag / "node.pid").read_text())

    def is_running(self, tag: str) -> bool:
        """Whether the process of a node lives."""
        try:
            os.kill(self.pid(tag), 0)
        except (OSError, ValueError):
            return False
        return True

    def kill(self, tag: str) -> None:
        """End a node as a power cut would."""
        os.kill(self.pid(tag), signal.SIGKILL)

    def log_status(self, tag: str) -> dict[str, Any] | None:
        """What a node says of its log; None if it does not answer."""
        try:
            with urlopen(f"{self.url(tag)}/admin/cluster/log", timeout=ASK_SECONDS_MAX) as answer:
                content = json.load(answer)
        except (URLError, OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def leader(self, *, after_term: int = 0, timeout_seconds: float = 30.0) -> str:
        """The tag of the node that most say leads, in a later term than `after_term`."""
        return wait_for(
            lambda: self._agreed_leader(after_term), timeout_seconds, "no leader was elected"
        )

    def term(self) -> int:
        """The latest term any node knows of."""
        statuses = [status for tag in self.tags if (status := self.log_status(tag))]
        return max((int(status["Term"]) for status in statuses), default=0)

    def _agreed_leader(self, after_term: int) -> str | None:
        statuses = [status for tag in self.tags if (status := self.log_status(tag))]
        said = [status["Leader"] for status in statuses if status["Term"] > after_term]
        return next((tag for tag in self.tags if said.count(tag) > self.nodes // 2), None)

    def wait_until_ready(self, tag: str, *, timeout_seconds: float = 30.0) -> None:
        """Return when a node answers and knows a leader."""

        def knows_a_leader() -> bool | None:
            status = self.log_status(tag)
            return bool(status and status["Leader"]) or None

        wait_for(knows_a_leader, timeout_seconds, f"node {tag} is not back")


def quoth(*arguments: str) -> list[str]:
    """The command line `quoth ARGUMENTS`, with this Python."""
    return [sys.executable, "-m", "quoth_node", *arguments]


def _read_lines(source: IO[bytes], lines: Queue[str]) -> None:
    for line in source:
        lines.put(line.decode().rstrip("\n"))
