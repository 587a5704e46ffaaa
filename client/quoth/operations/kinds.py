"""The kinds of operations: what they are sent to, and whether a node may be asked again.

An operation is a frozen value. Its fields are checked when it is made, so that bad input is told
where it stands, and nothing has been sent yet.
"""

from typing import ClassVar

from quoth.commands import Reply


class DatabaseRead:
    """Reads a database: any node may be asked, and another after it."""

    __slots__ = ()
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True


class DatabaseWrite:
    """Changes a database: never carried out twice."""

    __slots__ = ()
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True


class ServerRead:
    """Reads what belongs to no database."""

    __slots__ = ()
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = False


class ServerWrite:
    """Changes what belongs to no database: the databases themselves, or the cluster."""

    __slots__ = ()
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = False


class NamesDatabase:
    """Belongs to a database that it names itself, whichever it is sent for."""

    __slots__ = ()


class GoesOn:
    """Begins something that goes on by itself on a node, and is told its id: for `send_async`."""

    __slots__ = ()


class Silent:
    """Answered by nothing but that it was done."""

    __slots__ = ()

    def read(self, reply: Reply) -> None:
        return None
