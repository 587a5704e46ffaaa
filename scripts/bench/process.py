"""What a process holds in memory, and has used of a processor, by the kernel. Linux only."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KIB = 1024
FIELDS = ("VmRSS", "RssAnon")


def processor_seconds(pids: Iterable[int]) -> float:
    """What processes have used so far, in user and in kernel mode, together."""
    ticks = 0
    for pid in pids:
        # The name of a process may hold anything, so count from behind its closing bracket.
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(parts[11]) + int(parts[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and those that it started and that live."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *map(int, children.split())]


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes. Pages of LMDB's map count into `resident`, and the kernel takes them back at will;
    `anonymous` is what the process asked for and only it can give back.
    """

    resident: int
    anonymous: int

    @classmethod
    def of(cls, pid: int) -> "Memory":
        """Of a process that lives. Raises OSError."""
        found = {}
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in FIELDS:
                found[name] = int(rest.split()[0]) * KIB
        if len(found) < len(FIELDS):
            raise ProcessLookupError(f"process {pid} is no more")
        return cls(found["VmRSS"], found["RssAnon"])

    def peak(self, other: "Memory") -> "Memory":
        """The larger of both, each by itself."""
        return Memory(
            max(self.resident, other.resident), max(self.anonymous, other.anonymous)
        )
