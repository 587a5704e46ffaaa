"""A node that was started by a supervisor does not outlive it, not even one that was killed.

Linux tells a process when its parent dies; elsewhere a killed supervisor leaves its nodes behind.
"""

import ctypes
import os
import signal
import sys

from quoth_node.errors import CannotStart

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with(parent_pid: int) -> None:
    """Let the kernel kill this process as soon as `parent_pid`, its parent, is gone.

    Raises CannotStart if it is gone already.
    """
    if sys.platform != "linux":
        return
    # SIGKILL, because what is on disk is safe at any moment and a stuck node must go, too.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise CannotStart(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent_pid:  # it died before the line above
        raise CannotStart(f"the supervisor, process {parent_pid}, has ended")
