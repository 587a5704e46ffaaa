"""One node of a cluster under test, as a process: started, stopped in its tracks, killed, started.

It is a child of this process and dies with it, however that ends. What it says goes to node.log in
its folder, over all its lives. Methods block, and may be called from any thread.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO

from quoth_node.child import NodeLog, describe
from quoth_node.folder import create_folder

STOP_SECONDS_MAX = 20.0
STOPPED = (0, -signal.SIGTERM)  # the latter before it was up
LAUNCHER = "quoth_node.testing.launcher"


class NodeEnded(RuntimeError):
    """A node ended that was to run; the message has its exit code and its last words."""


class TestedNode:
    """The process of one node, in one life after another."""

    __test__ = False  # no test, whatever pytest thinks of the name

    def __init__(
        self, tag: str, folder: Path, *, starter: Executor, on_death: Callable[[str], None]
    ) -> None:
        """`starter` has one thread, which lives longer than the node: Linux ends a child that
        wants to die with its parent when the *thread* that started it ends.

        `on_death` is told, from another thread, of an end that nobody asked for.
        """
        self.tag = tag
        self.folder = folder
        self.log = NodeLog(folder)
        self.is_paused = False
        self._starter = starter
        self._on_death = on_death
        self._life: _Life | None = None

    @property
    def pid(self) -> int:
        """The process of this life, or of the last one. Raises LookupError if it had none yet."""
        if self._life is None:
            raise LookupError(f"node {self.tag} was never started")
        return self._life.process.pid

    @property
    def is_running(self) -> bool:
        """Whether there is a process; it may be paused."""
        return self._life is not None and not self._life.ended.is_set()

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Begin a life, and do not wait. `command` is followed by who its supervisor is."""
        assert not self.is_running, f"node {self.tag} runs already"
        create_folder(self.folder)
        self.is_paused = False
        command = [*command, "--supervisor", str(os.getpid())]
        self._life = self._starter.submit(self._begin, command, environment).result()

    def is_ready(self, url: str) -> bool:
        """Whether it has said `ready URL`. Raises NodeEnded if it has ended instead."""
        if self._life is None or self._life.ended.is_set():
            raise NodeEnded(self.told_end())
        return self._life.is_ready.is_set() and self._life.url == url

    def pause(self) -> None:
        """Stop it in its tracks: it does nothing and answers nothing, and keeps its connections."""
        if self._signal(signal.SIGSTOP):
            self.is_paused = True

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self.is_paused = False

    def kill(self) -> None:
        """End it as a power cut would, but that the system keeps what was written."""
        if self._life is not None:
            self._life.is_expected = True
            self._signal(signal.SIGKILL)
            self._life.ended.wait()
            self.is_paused = False

    def expect_end(self, is_expected: bool = True) -> None:
        """Its end is no news; or is one again."""
        if self._life is not None:
            self._life.is_expected = is_expected

    def ask_to_stop(self) -> None:
        """Let it end as a person would, soon."""
        self.expect_end()
        self.resume()
        if self._signal(signal.SIGTERM) and self._life is not None:
            self._life.was_asked = True

    def stop(self) -> None:
        """End it; a wrong exit code, or that it took force, is told as a death."""
        self.ask_to_stop()
        life = self._life
        if life is None or not life.was_asked:
            return
        life.was_asked = False
        if not life.ended.wait(STOP_SECONDS_MAX):
            self._on_death(f"node {self.tag} did not stop within {STOP_SECONDS_MAX:g} s")
            self.kill()
        elif life.exit_code not in STOPPED:
            self._on_death(self.told_end())

    def wait_for_end(self, timeout_seconds: float) -> bool:
        """Whether it ended in time."""
        return self._life is None or self._life.ended.wait(timeout_seconds)

    def told_end(self) -> str:
        """A sentence on the end of the last life."""
        if self._life is None:
            return f"node {self.tag} was never started"
        words = self.log.last_words()
        end = f"node {self.tag} ended with {describe(self._life.exit_code)}"
        return f"{end}: {words}" if words else end

    def _begin(self, command: Sequence[str], environment: Mapping[str, str]) -> "_Life":
        with self.log.open() as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                # Ctrl-C in a terminal goes to this process alone, which stops its nodes in order.
                start_new_session=True,
            )
        life = _Life(process)
        listen = Thread(target=self._listen, args=(life,), name=f"words of {self.tag}", daemon=True)
        watch = Thread(target=self._watch, args=(life,), name=f"end of {self.tag}", daemon=True)
        listen.start()
        watch.start()
        return life

    def _listen(self, life: "_Life") -> None:
        stdout: IO[bytes] | None = life.process.stdout
        assert stdout is not None, "asked for above"
        with stdout, self.log.path.open("ab", buffering=0) as log:
            for line in stdout:
                if line.startswith(b"ready "):
                    life.url = line.split()[1].decode()
                    life.is_ready.set()
                else:
                    log.write(line)

    def _watch(self, life: "_Life") -> None:
        # It stays a zombie until the lock is held, so that no signal meets another process.
        os.waitid(os.P_PID, life.process.pid, os.WEXITED | os.WNOWAIT)
        with life.lock:
            life.exit_code = life.process.wait()
            life.ended.set()
        if not life.is_expected:
            self._on_death(self.told_end())

    def _signal(self, number: signal.Signals) -> bool:
        """Whether there was a process to send it to."""
        life = self._life
        if life is None:
            return False
        with life.lock:
            if life.ended.is_set():
                return False
            os.kill(life.process.pid, number)
        return True


class _Life:
    """A process from its start to its end."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.lock = Lock()  # held to send a signal, and to let go of the process id
        self.is_ready = Event()
        self.url = ""  # as the `ready` line gave it
        self.ended = Event()
        self.exit_code = 0  # once it ended
        self.is_expected = False  # the end: somebody wants it
        self.was_asked = False  # to end in order, so it has to


def launch_command(prefix: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """The command line of a node in a prepared world."""
    return [*prefix, sys.executable, "-m", LAUNCHER, *arguments]
