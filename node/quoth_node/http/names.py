"""What may name a database. The name goes into headers, so it is checked before it is used."""

import re

from quoth_node.http.errors import BadRequest
from quoth_node.http.query import shortened

DATABASE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


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
