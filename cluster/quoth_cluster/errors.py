"""What can go wrong in the cluster, told by what the caller may do about it.

    ClusterError
    ├── NotProposed        definite: the command never entered the log; safe to send again
    │   └── Busy           ... because too much is waiting here
    ├── FateUnknown        indefinite: it may yet be applied; ask again with the same request id
    ├── TooLarge           definite: over a limit; sending it again will not help
    ├── NotReadable        a current read could not be confirmed in time; nothing was promised
    ├── NotAsked           definite: a question to another node did not leave this one
    ├── NoAnswer           indefinite: a question may have been heard, and what it asked for be done
    ├── NoCopy             no copy of the state could be made for another node
    ├── MembershipRefused  definite: the change of membership is not possible as asked
    └── Fatal              this node must stop: what is on its disk cannot be trusted or written
        ├── CorruptFile    a checksum does not match: file and offset are named
        ├── NewerFormat    written by a newer version than this one
        └── MalformedValue bytes that are not what they claim to be
"""


class ClusterError(Exception):
    """Something the cluster could not do."""


class NotProposed(ClusterError):
    """Definite: the command never entered the log."""


class Busy(NotProposed):
    """Definite: more is waiting than the limits of this node allow."""


class FateUnknown(ClusterError):
    """Indefinite: leadership or patience was lost after the command was handed in."""


class TooLarge(ClusterError):
    """Definite: the command is over a limit."""


class NotReadable(ClusterError):
    """No quorum confirmed the read in time."""


class NotAsked(ClusterError):
    """Definite: the question did not leave this node."""


class NoAnswer(ClusterError):
    """Indefinite: the question may have been heard."""


class NoCopy(ClusterError):
    """A copy of the state could not be made, for want of space perhaps; try again later."""


class MembershipRefused(ClusterError):
    """Definite: this change of membership is not possible as asked."""


class Fatal(ClusterError):
    """This node must stop."""


class CorruptFile(Fatal):
    """A stored record does not match its checksum."""


class NewerFormat(Fatal):
    """Stored or sent by a newer version than this one."""


class MalformedValue(Fatal):
    """Bytes that are not the value they should be."""
