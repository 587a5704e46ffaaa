"""What the machine is, read once: cores, memory, system. Told by `/cluster/node-info`."""

import os
import platform
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class HostFacts:
    """This machine, as far as clients ask for it."""

    cores: int
    memory_gb: float
    system: str
    system_name: str
    system_version: str


@cache
def host_facts() -> HostFacts:
    """The facts of this machine."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells
        memory = 0
    return HostFacts(
        cores=os.cpu_count() or 1,
        memory_gb=round(memory / 2**30, 3),
        system=platform.system(),
        system_name=platform.platform(),
        system_version=platform.release(),
    )
