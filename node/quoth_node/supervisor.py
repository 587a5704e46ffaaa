"""`quoth cluster start`: a cluster on this machine, one process per node, in the foreground.

stdout carries exactly one line, `ready URL URL ...`, once a leader is elected and every node
answers; everything else goes to stderr or to DIR/<tag>/node.log. Programs rely on these words.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quoth_node.admin import ask_each
from quoth_node.child import NodeProcess, describe
from quoth_node.config import PORT_MAX, NodeConfig, require
from quoth_node.errors import CannotStart
from quoth_node.layout import find_records, plan_start, port_of
from quoth_node.ports import require_free
from quoth_node.settings import read_settings

START_SECONDS_MAX = 60.0  # from the start of a node to its `ready`
ASK_AGAIN_SECONDS = 0.05
RESTART_SECONDS_MIN, RESTART_SECONDS_MAX = 0.5, 30.0
REMOVED = "was removed from the cluster"  # in the last words of a node that is no member any more
STEADY_SECONDS = 60.0  # a node that ran this long restarts without a penalty


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterConfig:
    """A cluster on this machine."""

    folder: Path
    first_port: int
    nodes: int | None = None  # None: those found in the folder, or three
    host: str = "127.0.0.1"
    insecure: bool = False
    restart: bool = False
    settings: Path | None = None  # handed to every node


class Supervisor:
    """Starts the nodes, watches them, ends them."""

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._plan = plan_start(find_records(config.folder), nodes=config.nodes)
        last = port_of(self._plan.tags[-1], config.first_port)
        require(last <= PORT_MAX, f"the last node would need port {last}")
        self._nodes = {tag: self._node(tag) for tag in self._plan.tags}
        self._left_out: set[str] = set()  # did not start, and the others can do without
        self._announced = False  # until then, a node that ends is a failed start

    async def run(self) -> int:
        """Run the cluster until cancelled; every node has ended when this returns or raises.

        Returns 1 if all nodes ended by themselves. Raises CannotStart.
        """
        for tag in self._plan.tags:
            require_free(self._config.host, port_of(tag, self._config.first_port))
        failures: list[Exception] = []
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._start(tasks, self._plan.together)
                for tag in self._plan.one_by_one:
                    await self._start(tasks, (tag,))
                await self._all_answer()
                self._announced = True
                print("ready", *(node.url for node in self._taking_part), flush=True)
        except* CannotStart as group:
            failures.extend(group.exceptions)
        if failures:
            raise failures[0]
        say("every node has ended")
        return 1

    def _node(self, tag: str) -> NodeProcess:
        # The node checks the same settings again; here they fail before anything is started.
        settings = read_settings(self._config.settings, tag=tag)
        config = NodeConfig(
            tag=tag,
            http_host=self._config.host,
            http_port=port_of(tag, self._config.first_port),
            peer_host=self._config.host,
            folder=self._config.folder / tag,
            insecure=self._config.insecure,
            tls=settings.tls,
            raft=settings.raft,
        )
        return NodeProcess(tag, config.url, config.folder)

    async def _start(self, tasks: asyncio.TaskGroup, tags: Sequence[str]) -> None:
        nodes = [self._nodes[tag] for tag in tags]
        for node in nodes:
            tasks.create_task(self._keep(node), name=f"node {node.tag}")
        for node in nodes:
            try:
                async with asyncio.timeout(START_SECONDS_MAX):
                    await node.ready.wait()
            except TimeoutError as error:
                waited = f"was not ready within {START_SECONDS_MAX:g} s: see {node.log_path}"
                raise CannotStart(f"node {node.tag} {waited}") from error

    async def _keep(self, node: NodeProcess) -> None:
        """Run one node; again, if it ends and that is wanted."""
        clock = asyncio.get_running_loop().time
        pause = RESTART_SECONDS_MIN
        while True:
            started = clock()
            exit_code = await node.run(self._arguments(node.tag))
            reason = node.last_words() or f"ended with {describe(exit_code)}"
            if not self._announced:
                if exit_code == CannotStart.exit_code or not self._can_do_without(node.tag):
                    raise CannotStart(f"node {node.tag}: {reason}")
                say(f"node {node.tag} does not start, the others go on without it: {reason}")
                self._left_out.add(node.tag)
                node.ready.set()
            if REMOVED in reason:
                say(f"node {node.tag} is no member any more; its data is in {node.log_path.parent}")
                return
            if clock() - started > STEADY_SECONDS:
                pause = RESTART_SECONDS_MIN
            ended = f"node {node.tag} ended with {describe(exit_code)}"
            if not self._config.restart:
                say(ended)
                return
            say(f"{ended}; it is started again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, RESTART_SECONDS_MAX)

    def _arguments(self, tag: str) -> list[str]:
        config = self._config
        node = {
            "--tag": tag,
            "--host": config.host,
            "--port": str(port_of(tag, config.first_port)),
            "--data": str(config.folder / tag),
        }
        arguments = [word for pair in node.items() for word in pair]
        others = [node.url for node in self._nodes.values() if node.tag != tag]
        # Also once the cluster stands: a node that lost its folder must not found another one.
        if others and (self._announced or tag in self._plan.one_by_one):
            founder = self._nodes[self._plan.together[0]].url
            arguments += ["--join", founder if founder in others else others[0]]
        if config.settings is not None:
            arguments += ["--config", str(config.settings)]
        return [*arguments, *(["--insecure"] if config.insecure else [])]

    def _can_do_without(self, tag: str) -> bool:
        """Whether this is a cluster that stands, and others of it are left."""
        others = set(self._plan.together) - self._left_out - {tag}
        return tag in self._plan.together and bool(others)

    @property
    def _taking_part(self) -> list[NodeProcess]:
        return [node for tag, node in self._nodes.items() if tag not in self._left_out]

    async def _all_answer(self) -> None:
        """Return when every node answers and all name the same leader."""
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                # Other processes have no event to wait for.
                while not await self._agreed():  # noqa: ASYNC110
                    await asyncio.sleep(ASK_AGAIN_SECONDS)
        except TimeoutError as error:
            raise CannotStart("the nodes answer, but do not agree on a leader") from error

    async def _agreed(self) -> bool:
        nodes = self._taking_part
        answers = await ask_each(node.url for node in nodes)
        leaders = set()
        for node, answer in zip(nodes, answers, strict=True):
            if isinstance(answer, str) or node.tag not in answer.members:
                return False
            leaders.add(answer.leader)
        return len(leaders) == 1 and None not in leaders


def say(line: str) -> None:
    """Tell the person at the terminal."""
    print(f"quoth: {line}", file=sys.stderr, flush=True)


async def supervise(config: ClusterConfig) -> int:
    """Run a cluster until SIGINT, SIGTERM or SIGHUP; the exit code."""
    supervisor = Supervisor(config)
    stop_on_signals()
    try:
        return await supervisor.run()
    except asyncio.CancelledError:
        return 0


def stop_on_signals() -> None:
    """Cancel the current task at the first signal; while it stops, further ones change nothing."""
    task = asyncio.current_task()
    assert task is not None, "called within a task"
    loop = asyncio.get_running_loop()
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
        signals.append(signal.SIGHUP)

    def stop() -> None:
        for number in signals:
            loop.add_signal_handler(number, lambda: None)
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, stop)
