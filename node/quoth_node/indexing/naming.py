"""The names of automatic indexes, as RavenDB gives them (protocol notes, 8.3).

A name says all of what an index is of: no two indexes share one. So what could be read otherwise is
put in quotes, which RavenDB does only for names that are in quotes in the query.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b

ALL_DOCUMENTS = "@all_docs"
NAME_CHARACTERS_MAX = 256
# As in a query without quotes, and without the words that join fields.
_PLAIN = re.compile(r"(?!.*(?:And|ReducedBy))[A-Za-z_@][A-Za-z0-9_@.\[\]-]*|id\(\)")
_DECORATIONS = {"search": "Search", "exact": "Exact", "array": "array"}


def automatic_name(
    collection: str, fields: Sequence[str], group_by: Sequence[str] | None = None
) -> str:
    """`automatic_name("Users", ["name", "age"])` is `"Auto/Users/ByageAndname"`.

    `fields` are names as entries have them: `name`, `search(name)`, `exact(name)`.
    """
    if collection == ALL_DOCUMENTS:
        collection = "AllDocs"
    elif collection == "AllDocs" or collection.startswith("'"):  # as somebody may call one
        collection = _quoted(collection)
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
    for decoration, shown in _DECORATIONS.items():
        if name.startswith(f"{decoration}(") and name.endswith(")"):
            return f"{shown}({_plain_or_quoted(name[len(decoration) + 1 : -1])})"
    return _plain_or_quoted(name)


def _plain_or_quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else _quoted(name)


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
