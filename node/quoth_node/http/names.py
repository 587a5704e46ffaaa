"""What may name a database. The name goes into headers, so it is checked before it is used."""

import re

from quoth_node.http.errors import BadRequest
from quoth_node.http.query import shortened

DATABASE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
WINDOWS_DEVICE = re.compile(r"con|prn|aux|nul|clock|conin|conout|com[0-9]|lpt[0-9]", re.IGNORECASE)


def check_database_name(name: str) -> str:
    """`name`, if it can name a database.

    Raises BadRequest.
    """
    if DATABASE_NAME.fullmatch(name) is None or not name.strip("."):
        raise BadRequest(
            f"'{shortened(name)}' cannot name a database: "
            "1 to 128 letters, digits, '_', '-' and '.' can, if they are not all dots"
        )
    return name


def check_new_name(name: str) -> str:
    """`name`, if a database may get it.

    No file is ever named after a database, but people name things after theirs: backups, folders.
    Raises BadRequest.
    """
    check_database_name(name)
    if not all(name.split(".")):
        raise BadRequest(f"'{name}' cannot name a database: '.' stands between other characters")
    if WINDOWS_DEVICE.fullmatch(name.partition(".")[0]) is not None:
        raise BadRequest(f"'{name}' cannot name a database: it is the name of a device on Windows")
    return name
