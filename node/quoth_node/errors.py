"""Why a node or a cluster does not start, or a command line cannot do as asked.

    CommandLineError      one clear line for a person; never a traceback
    ├── CannotStart       exit code 2: nothing was started, nothing was changed
    │   ├── BadConfig     a setting, or a relation between settings, makes no sense
    │   ├── BadFolder     the data folder is in use, of another node, or unreadable
    │   └── PortInUse     another process listens there
    └── NotDone           exit code 1: the cluster refused, or could not be reached
"""


class CommandLineError(Exception):
    """Ends a command with one line on stderr."""

    exit_code = 1


class CannotStart(CommandLineError):
    """Nothing was started."""

    exit_code = 2


class BadConfig(CannotStart):
    """The settings contradict each other or cannot be read."""


class BadFolder(CannotStart):
    """The data folder cannot be used by this node."""


class PortInUse(CannotStart):
    """The address is taken."""


class NotDone(CommandLineError):
    """The cluster refused, or could not be reached."""
