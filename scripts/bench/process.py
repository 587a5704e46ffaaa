"""What a process holds in memory, as the kernel counts it. Linux only."""

from dataclasses import dataclass
from pathlib import Path

KIB = 1024
FIELDS = ("VmRSS", "RssAnon")


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
