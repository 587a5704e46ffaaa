"""One network namespace of Linux: made, entered, asked and removed. The one door to `ip` and `tc`.

Names say whose they are, `quoth-PID-RANDOM-TAG`, so that those of a dead process can be found.
"""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

RUN_FOLDER = Path("/var/run/netns")  # where `ip netns` keeps them: ip-netns(8)
OWN_NETWORK = "/proc/thread-self/ns/net"
CLONE_NEWNET = 0x40000000  # <linux/sched.h>
PREFIX = "quoth"
NAME = re.compile(rf"{PREFIX}-(?P<pid>\d+)-[0-9a-f]+-[A-Za-z]+")
COMMAND_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Netns:
    """A network namespace with a name. It outlives its name while a process or socket is in it."""

    name: str

    @property
    def path(self) -> Path:
        """The file that stands for it."""
        return RUN_FOLDER / self.name

    def add(self) -> None:
        """Make it, with its loopback up. Raises NetnsError."""
        run("ip", "netns", "add", self.name)
        self.ip("link set lo up")

    def delete(self) -> None:
        """Remove it if it is there. Raises NetnsError."""
        try:
            run("ip", "netns", "delete", self.name)
        except NetnsError:
            if self.path.exists():  # else another process was faster
                raise

    def ip(self, *lines: str) -> None:
        """Run lines of `ip`, all in one process. Raises NetnsError at the first that fails."""
        run("ip", "-netns", self.name, "-batch", "-", words=lines)

    def tc(self, *lines: str) -> None:
        """Run lines of `tc`, all in one process. Raises NetnsError at the first that fails."""
        run("tc", "-netns", self.name, "-batch", "-", words=lines)

    def command(self, *words: str) -> tuple[str, ...]:
        """The command line that runs `words` in it; its process stays the same one."""
        return ("nsenter", f"--net={self.path}", *words)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread does within is done in the namespace: sockets made there stay there.

        Start no thread within: it would stay, too. Raises OSError.
        """
        home = os.open(OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(self.path)
            try:
                yield
            finally:
                _set_namespace(home)
        finally:
            os.close(home)


class NetnsError(OSError):
    """A command of the network failed. `said` is its complaint alone, in one line."""

    def __init__(self, said: str, told: str = "") -> None:
        super().__init__(f"{told}: {said}" if told else said)
        self.said = said


class Names:
    """The names of the namespaces of one network of this process."""

    def __init__(self, chance: Random) -> None:
        self._start = f"{PREFIX}-{os.getpid()}-{chance.getrandbits(32):08x}"

    def netns(self, part: str) -> Netns:
        """The namespace of a part of the network."""
        netns = Netns(f"{self._start}-{part}")
        assert NAME.fullmatch(netns.name), "else nobody would find it again"
        return netns


def run(*command: str, words: Sequence[str] = ()) -> str:
    """What a command says on stdout; it gets the lines `words` on stdin. Raises NetnsError."""
    told = " ".join(command) + "".join(f"\n    {line}" for line in words)
    if shutil.which(command[0]) is None:
        raise NetnsError(f"there is no command {command[0]} on this machine")
    done = subprocess.run(
        command,
        input="".join(f"{line}\n" for line in words),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
    )
    if done.returncode != 0:
        complaint = done.stderr.strip() or f"exit code {done.returncode}"
        raise NetnsError(complaint.splitlines()[0], told)
    return done.stdout


def leftovers() -> list[Netns]:
    """The namespaces made here whose process is dead."""
    if not RUN_FOLDER.is_dir():
        return []
    found = ((path.name, NAME.fullmatch(path.name)) for path in RUN_FOLDER.iterdir())
    return [
        Netns(name)
        for name, match in sorted(found, key=lambda pair: pair[0])
        if match is not None and not Path(f"/proc/{match['pid']}").exists()
    ]


def _enter(path: Path) -> None:
    there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set_namespace(there)
    finally:
        os.close(there)


def _set_namespace(descriptor: int) -> None:
    """`os.setns` is in Python from 3.12 on. It acts on this thread alone: setns(2)."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns failed: {os.strerror(number)}")
