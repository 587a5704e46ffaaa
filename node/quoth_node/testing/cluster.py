"""A cluster of real node processes on this machine, to which faults can be done.

    with Cluster(folder, nodes=3) as cluster:
        cluster.kill(cluster.leader())
        cluster.restart()

Everything in `folder` is the cluster's: FOLDER/TAG per node, as `quoth cluster start` has it. All
calls block, and come from one thread at a time. Nothing of it outlives the block, nor this process.
"""

import json
import os
import string
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from quoth_node.errors import NotDone
from quoth_node.folder import create_folder
from quoth_node.testing.asking import log_status, remove_member
from quoth_node.testing.clock import wait_for
from quoth_node.testing.launcher import VARIABLE
from quoth_node.testing.network import Network
from quoth_node.testing.networks import make_network
from quoth_node.testing.powers import NoRecording, Recording, open_recording
from quoth_node.testing.process import NodeEnded, TestedNode, launch_command
from quoth_node.testing.server import require_server

READY_SECONDS = 120.0  # of a busy machine: it starts a process, which joins and is sent the state
REMOVED_SECONDS = 10.0
NODES_MAX = len(string.ascii_uppercase)
NETWORK_FOLDER = "network"  # who dials whom where
REMOVED_FOLDER = "removed"  # what is left of nodes that were members


class Cluster:
    """Nodes, named by their tags A, B, C, ..., each with the same ports in all its lives."""

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 3,
        network: str = "auto",
        power: bool = False,
        bug: str | None = None,
        settings: Path | None = None,
        options: tuple[str, ...] = (),
        chance: Random | None = None,
    ) -> None:
        """`network` is auto, proxies, namespaces or none; `power` makes `power_loss` possible.

        `settings` and `options` are for `quoth node start`. `bug` plants one, for tests of those
        who look for bugs. `chance` is that of the network. Raises ValueError, and CannotFault if
        this machine cannot do what is asked for.
        """
        if not 1 <= nodes <= NODES_MAX:
            raise ValueError(f"a cluster has 1 to {NODES_MAX} nodes, not {nodes}")
        self.folder = folder.absolute()
        self.deaths: list[str] = []  # sentences on processes that nobody ended
        self._chance = chance or Random()
        self.network: Network = make_network(network, self._chance)
        self._tags = list(string.ascii_uppercase[:nodes])
        self._nodes: dict[str, TestedNode] = {}  # all that have a process, or had one
        self._urls: dict[str, str] = {}
        self._power = power
        self._recording: Recording = NoRecording()
        self._bug = bug
        self._settings = settings
        self._options = options
        self._stack: ExitStack | None = None  # what stops it; None: it is not started
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starts nodes")

    # -- life

    def start(self) -> Self:
        """Start all nodes, and return when each is a member and answers.

        Raises NodeEnded, TimeoutError, ServerMissing, or OSError; nothing is left running then.
        """
        require_server()
        if self.folder.exists() and any(self.folder.iterdir()):
            raise ValueError(f"{self.folder} is not empty: a cluster is started in a folder once")
        if self._stack is not None:
            raise ValueError("this cluster was started already")
        self._stack = ExitStack()
        try:
            create_folder(self.folder)
            self._stack.callback(self._starter.shutdown)
            self._stack.callback(self.network.close)
            self._stack.callback(self._stop_nodes)
            self.network.open()
            if self._power:
                self._recording = open_recording(self.folder, self._chance)
            for tag in self._tags:
                self._make(tag)
            self._write_dials()
            founder, *others = self._tags
            self._launch(founder, founds=True)
            self._wait_until_said_ready(founder, READY_SECONDS)
            for tag in others:
                self._launch(tag)
            self.wait_until_ready(*self._tags)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything; nothing happens if it is not running. The folder is left."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # -- what it looks like

    @property
    def tags(self) -> list[str]:
        """The nodes that are members now, whether they run or not."""
        return list(self._tags)

    @property
    def urls(self) -> list[str]:
        """Where clients reach them, in the order of `tags`."""
        return [self._urls[tag] for tag in self._tags]

    def url(self, tag: str) -> str:
        """Where clients reach a node. It stays the same for all its lives."""
        return self._urls[tag]

    def pid(self, tag: str) -> int:
        """The process of a node, or the last one it had."""
        return self._nodes[tag].pid

    def is_running(self, tag: str) -> bool:
        """Whether a node has a process; it may be paused."""
        return tag in self._nodes and self._nodes[tag].is_running

    def is_paused(self, tag: str) -> bool:
        """Whether the process of a node was paused."""
        return self._nodes[tag].is_paused

    def log_path(self, tag: str) -> Path:
        """The file with what a node has said in all its lives."""
        return self._nodes[tag].log.path

    def log_status(self, tag: str) -> dict[str, Any] | None:
        """What a node says of its log; None if it does not answer."""
        node = self._nodes.get(tag)
        if node is None or not node.is_running or node.is_paused:
            return None
        return log_status(self._urls[tag])

    def term(self) -> int:
        """The latest term that any node knows of; 0 if none answers."""
        return max((int(status["Term"]) for status in self._statuses()), default=0)

    def leader(self, *, after_term: int = 0, timeout_seconds: float = 30.0) -> str:
        """The tag of the node that most members say leads, in a later term than `after_term`.

        Raises TimeoutError.
        """
        otherwise = "no leader was elected"
        return wait_for(lambda: self._agreed_leader(after_term), timeout_seconds, otherwise)

    def wait_until_ready(self, *tags: str, timeout_seconds: float = READY_SECONDS) -> None:
        """Return when nodes are members, answer and know a leader; no tags: all that run.

        Raises NodeEnded if one ends instead, and TimeoutError: one that is cut off knows no leader.
        """
        for tag in tags or self._running():
            self._wait_until_said_ready(tag, timeout_seconds)
            wait_for(
                lambda tag=tag: self._knows_leader(tag) or None,  # type: ignore[misc]
                timeout_seconds,
                f"node {tag} knows no leader",
            )

    # -- faults of processes

    def kill(self, *tags: str) -> None:
        """End the processes of nodes at once (SIGKILL); they do not come back by themselves."""
        for tag in tags:
            self._nodes[tag].kill()

    def pause(self, tag: str) -> None:
        """Let a node stand still (SIGSTOP), as in a long pause of a virtual machine."""
        self._nodes[tag].pause()

    def resume(self, *tags: str) -> None:
        """Let paused nodes go on; no tags: all."""
        for tag in tags or list(self._nodes):
            self._nodes[tag].resume()

    def restart(self, *tags: str, timeout_seconds: float = READY_SECONDS) -> None:
        """Start nodes that are down, and return when they are ready; no tags: all of them.

        Raises as `wait_until_ready` does, the processes going on: without a majority, or cut off,
        none gets ready.
        """
        down = [tag for tag in tags or self._tags if not self.is_running(tag)]
        for tag in down:
            self._launch(tag)
        if down:
            self.wait_until_ready(*down, timeout_seconds=timeout_seconds)

    def power_loss(self, *tags: str) -> Any:
        """Kill nodes at once, and lose what they have not synced; no tags: all that run.

        What was written and not synced is lost, kept or torn by chance. Returns what was lost, for
        people. Raises CannotFault if the cluster was not made for it.
        """
        self._recording.require()
        meant = list(tags or self._running())
        self.kill(*meant)
        return self._recording.power_loss(meant)

    # -- faults of the network

    def cut(self, a: str, b: str, *, one_way: bool = False) -> None:
        """Lose silently what `a` sends to `b`, and what `b` sends to `a` unless `one_way`."""
        for source, target in _directions(a, b, one_way):
            self.network.cut(source, target)

    def isolate(self, tag: str) -> None:
        """Cut a node off from all others."""
        for other in self._tags:
            if other != tag:
                self.cut(tag, other)

    def delay(
        self,
        a: str,
        b: str,
        *,
        milliseconds: float,
        jitter_milliseconds: float = 0,
        one_way: bool = False,
    ) -> None:
        """Deliver later what they send to each other, in order."""
        times = {"milliseconds": milliseconds, "jitter_milliseconds": jitter_milliseconds}
        for source, target in _directions(a, b, one_way):
            self.network.delay(source, target, **times)

    def lose(self, a: str, b: str, *, percent: float, one_way: bool = False) -> None:
        """Lose some of the packets they send to each other."""
        for source, target in _directions(a, b, one_way):
            self.network.lose(source, target, percent=percent)

    def stall(self, a: str, b: str, *, one_way: bool = False) -> None:
        """Hold back what they send to each other, until healed."""
        for source, target in _directions(a, b, one_way):
            self.network.stall(source, target)

    def reset(self, a: str, b: str) -> None:
        """End all connections between them once; they may connect anew."""
        self.network.reset(a, b)

    def heal(self) -> None:
        """End every fault of the network."""
        self.network.heal()

    # -- members

    def add(self, tag: str, *, timeout_seconds: float = READY_SECONDS) -> None:
        """Start a new node, which joins; returns when it votes.

        Raises NodeEnded or TimeoutError; its process is stopped then, and it may be a member.
        """
        if tag in self._tags:
            raise ValueError(f"node {tag} is a member already")
        self._make(tag)
        self._write_dials()
        self._launch(tag)
        try:
            self._wait_until_said_ready(tag, timeout_seconds)
        except BaseException:
            self._nodes[tag].stop()
            raise
        self._tags = sorted([*self._tags, tag])

    def remove(self, tag: str) -> None:
        """Remove a member through the log, and end its process; what it had is put aside.

        Raises NotDone if it is a member still.
        """
        node = self._nodes[tag]
        others = [other for other in self._running() if other != tag]
        if tag not in self._tags or not others:
            raise ValueError(f"node {tag} is no member, or no other one runs")
        node.expect_end()  # it is told that it was removed, and ends
        try:
            remove_member(self._urls[self._asked_for_changes(others)], tag)
        except NotDone:
            members = [status["Members"] for other in others if (status := self.log_status(other))]
            if not members or any(tag == member["Tag"] for told in members for member in told):
                node.expect_end(node.is_running is False)
                raise
        self._tags.remove(tag)
        if not node.wait_for_end(REMOVED_SECONDS):  # paused, or cut off: it is never told
            node.stop()
        del self._nodes[tag]
        self.network.leave(tag)
        self._write_dials()
        self._put_aside(tag)

    # -- within

    def _make(self, tag: str) -> None:
        self._urls[tag] = self.network.place(tag).url
        self._nodes[tag] = TestedNode(
            tag, self.folder / tag, starter=self._starter, on_death=self._died
        )

    def _died(self, told: str) -> None:
        self.deaths.append(told)

    def _launch(self, tag: str, *, founds: bool = False) -> None:
        node, place = self._nodes[tag], self.network.place(tag)
        arguments = ["--tag", tag, "--data", str(node.folder)]
        arguments += ["--host", place.http_host, "--port", str(place.http_port)]
        arguments += ["--peer-host", place.peer_host, "--peer-port", str(place.peer_port)]
        if place.insecure:
            arguments.append("--insecure")
        if self._settings is not None:
            arguments += ["--config", str(self._settings)]
        others = [other for other in self._running() if other != tag]
        others += [other for other in self._tags if other not in (*others, tag)]
        if others and not founds:  # also one that lost its folder: it must not found another one
            arguments += ["--join", self._urls[self._asked_for_changes(others)]]
        wish = json.dumps(
            {
                "dial": str(self._dial_path(tag)),
                "power": self._recording.wish(tag),
                "bug": self._bug,
            }
        )
        environment = {**os.environ, VARIABLE: wish, **self._recording.environment(tag)}
        node.start(launch_command(place.prefix, [*arguments, *self._options]), environment)

    def _asked_for_changes(self, tags: Sequence[str]) -> str:
        """Who of these is asked: one that knows the leader, if there is one."""
        statuses = ((tag, self.log_status(tag)) for tag in tags)
        return next((tag for tag, status in statuses if status and status["Leader"]), tags[0])

    def _wait_until_said_ready(self, tag: str, timeout_seconds: float) -> None:
        node, url = self._nodes[tag], self._urls[tag]
        otherwise = f"node {tag} is not ready (it says why in {node.log.path})"
        wait_for(lambda: node.is_ready(url) or None, timeout_seconds, otherwise)

    def _knows_leader(self, tag: str) -> bool:
        status = self.log_status(tag)
        if status is None and not self._nodes[tag].is_running:
            raise NodeEnded(self._nodes[tag].told_end())
        return bool(status and status["Leader"])

    def _agreed_leader(self, after_term: int) -> str | None:
        said = [status["Leader"] for status in self._statuses() if status["Term"] > after_term]
        return next((tag for tag in self._tags if said.count(tag) > len(self._tags) // 2), None)

    def _statuses(self) -> list[dict[str, Any]]:
        return [status for tag in self.tags if (status := self.log_status(tag))]

    def _running(self) -> list[str]:
        return [tag for tag in self._tags if self.is_running(tag) and not self.is_paused(tag)]

    def _dial_path(self, tag: str) -> Path:
        return self.folder / NETWORK_FOLDER / f"{tag}.json"

    def _write_dials(self) -> None:
        """Tell every node, also those that run, where to reach the others."""
        (self.folder / NETWORK_FOLDER).mkdir(exist_ok=True)
        for tag in self._nodes:
            path = self._dial_path(tag)
            new = path.with_suffix(".new")
            new.write_text(json.dumps(dict(self.network.dials(tag))), encoding="utf-8")
            new.replace(path)  # a node may be reading it

    def _put_aside(self, tag: str) -> None:
        """A node of this tag that is added later is a new one."""
        aside = self.folder / REMOVED_FOLDER
        aside.mkdir(exist_ok=True)
        number = 1 + sum(1 for path in aside.iterdir() if path.name.startswith(f"{tag}-"))
        (self.folder / tag).replace(aside / f"{tag}-{number}")

    def _stop_nodes(self) -> None:
        nodes = list(self._nodes.values())
        for node in nodes:  # all at once, then one waits for each
            node.ask_to_stop()
        with ExitStack() as stack:
            for node in nodes:
                stack.callback(node.stop)


def _directions(a: str, b: str, one_way: bool) -> list[tuple[str, str]]:
    return [(a, b)] if one_way else [(a, b), (b, a)]
