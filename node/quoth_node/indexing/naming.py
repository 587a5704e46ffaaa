"""The names of automatic indexes, as RavenDB gives them (protocol notes, 8.3)."""

import re
from collections.abc import Sequence
from hashlib import blake2b

ALL_DOCUMENTS = "@all_docs"
NAME_CHARACTERS_MAX = 256
_PLAIN = re.compile(r"[A-Za-z_@][A-Za-z0-9_@.\[\]()-]*")


def automatic_name(
    collection: str, fields: Sequence[str], group_by: Sequence[str] | None = None
) -> str:
    """`automatic_name("Users", ["name", "age"])` is `"Auto/Users/ByageAndname"`.

    `fields` are names as entries have them: `name`, `search(name)`, `exact(name)`.
    """
    collection = "AllDocs" if collection == ALL_DOCUMENTS else collection
    name = f"Auto/{collection}/By{_joined(fields) or 'Id()'}"
    if group_by is not None:
        name += f"ReducedBy{_joined(group_by)}"
    if len(name) <= NAME_CHARACTERS_MAX:
        return name
    digest = blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{name[:NAME_CHARACTERS_MAX]}...{digest}"


def _joined(fields: Sequence[str]) -> str:
    return "And".join(sorted(_decorated(name) for name in fields))


def _decorated(name: str) -> str:
    for decoration in ("search", "exact"):
        if name.startswith(f"{decoration}(") and name.endswith(")"):
            return f"{decoration.capitalize()}({name[len(decoration) + 1 : -1]})"
    return name if _PLAIN.fullmatch(name) else f"'{name}'"
