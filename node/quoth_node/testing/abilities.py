"""What this machine can do to a network: tried in a namespace that is removed again."""

import os
import shutil
import socket
import sys
from dataclasses import dataclass
from random import Random

from quoth_node.testing.netns import Names, Netns, NetnsError, run
from quoth_node.testing.traffic import Traffic, lines

COMMANDS = ("ip", "tc", "ss", "nsenter")
RESET_SECONDS_MAX = 5.0
ANY = "192.0.2.1"  # an address of nobody: RFC 5737


@dataclass(frozen=True, slots=True)
class Abilities:
    """For each: None if it is there, else a sentence why not."""

    shaping: str | None  # HTB and u32: a fault for one source, and a rate
    netem: str | None  # delay, loss and their like
    resets: str | None  # ending connections from outside

    @property
    def missing(self) -> str | None:
        """The first that is missing."""
        return self.shaping or self.netem or self.resets


def impossible() -> str | None:
    """Why there can be no namespaces at all, as far as can be said without trying."""
    if sys.platform != "linux":
        return "network namespaces are a thing of Linux"
    if os.geteuid() != 0:
        return "network namespaces need root"
    absent = [command for command in COMMANDS if shutil.which(command) is None]
    if absent:
        return f"there is no command {', '.join(absent)} on this machine (iproute2, util-linux)"
    return None


def find_abilities(chance: Random) -> Abilities:
    """Try them all. Raises NetnsError if there can be no namespaces, links and cuts at all."""
    why_not = impossible()
    if why_not is not None:
        raise NetnsError(why_not)
    scratch = Names(chance).netns("probe")
    try:
        scratch.add()
        scratch.ip("link add one type veth peer name other", "link set one up")
        scratch.ip(f"rule add pref 1 from {ANY} to {ANY} blackhole")
        return Abilities(shaping=_shaping(scratch), netem=_netem(scratch), resets=_resets(scratch))
    finally:
        scratch.delete()


def _shaping(scratch: Netns) -> str | None:
    try:
        scratch.tc(*lines("one", {ANY: (1, Traffic(kilobits_per_second=1_000))}))
    except NetnsError as error:
        return f"this kernel lacks the module sch_htb or cls_u32 ({error.said})"
    return None


def _netem(scratch: Netns) -> str | None:
    try:
        scratch.tc("qdisc add dev other root netem delay 1ms")
    except NetnsError as error:
        return f"this kernel lacks the module sch_netem ({error.said})"
    return None


def _resets(scratch: Netns) -> str | None:
    """`ss --kill` says nothing where it cannot: it is seen by what it does."""
    with scratch.entered(), socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as near, server.accept()[0] as far:
            run(*scratch.command("ss", "-K", "-H", "-t", "-n", "dport", "=", str(port)))
            far.settimeout(RESET_SECONDS_MAX)
            try:
                near.send(b".")  # goes out only if the connection lives
                far.recv(1)
            except OSError:
                return None
    return "this kernel was built without CONFIG_INET_DIAG_DESTROY, which ends connections"
