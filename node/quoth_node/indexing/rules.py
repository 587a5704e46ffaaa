"""What is asked of a definition when it is sent; one that stands is not asked again.

The rules and their words are the official server's. They come before anything of a request is
proposed, so of several definitions that are sent together all are put or none.
"""

import re
from collections.abc import Mapping
from typing import Any

from quoth_cluster.indexes import DEFINITION_BYTES_MAX, NAME_BYTES_MAX
from quoth_node.indexing.definition import BadDefinition, Definition

AUTOMATIC_PREFIX = "Auto/"
SIDE_BY_SIDE_PREFIX = "ReplacementOf/"  # of what will take the place of an index
OTHER_CHARACTERS = "_-./"  # beside letters and digits
STRAY_DOT = re.compile(r"\A\.|\.\.|\.\Z")
NAME_SHOWN_MAX = 200  # characters
CHOICES = {
    "Storage": ("Yes", "No"),
    "Indexing": ("No", "Search", "Exact", "Highlighting", "Default"),
    "TermVector": (
        *("No", "Yes", "WithPositions", "WithOffsets"),
        "WithPositionsAndOffsets",
    ),
}


# Settings known to change what an index finds; others are kept, and nothing is made of them.
SWITCHES = ("indexing.indexmissingfieldsasnull", "indexing.indexemptyentries")
ANALYZERS = "indexing.analyzers."


def check(definition: Definition) -> None:
    """Raise BadDefinition for what no index may be."""
    check_name(definition.name)
    for name, value in definition.configuration.items():
        _check_setting(name, value)
    for name, options in definition.fields.items():
        _check_choices(definition.name, name, options)
    if len(definition.to_json()) > DEFINITION_BYTES_MAX:
        raise BadDefinition(
            f"The definition of an index is a JSON object of at most {DEFINITION_BYTES_MAX} bytes."
        )


def _check_setting(name: str, value: object) -> None:
    is_on = name.lower() in SWITCHES and str(value).lower() == "true"
    if is_on or name.lower().startswith(ANALYZERS):
        raise BadDefinition(f"The setting {name[:NAME_SHOWN_MAX]} of indexes is not supported yet")


def check_name(name: str) -> None:
    """Raise BadDefinition for what no static index may be called."""
    shown = name[:NAME_SHOWN_MAX]
    if len(name.encode()) > NAME_BYTES_MAX:
        raise BadDefinition(f"The name of an index has 1 to {NAME_BYTES_MAX} bytes.")
    if _begins(name, SIDE_BY_SIDE_PREFIX):
        raise BadDefinition(
            f"Index name must not start with '{SIDE_BY_SIDE_PREFIX}'. Provided index name: "
            f"'{shown}'"
        )
    if "//" in name:
        raise BadDefinition(
            f"Index name '{shown.replace('//', '__')}' not permitted. Index name cannot contain "
            "// (double slashes)"
        )
    if _begins(name, AUTOMATIC_PREFIX):
        raise BadDefinition(
            f"Index name '{shown}' not permitted. Static index name cannot start with "
            f"'{AUTOMATIC_PREFIX}'"
        )
    if not all(one.isalpha() or one.isdecimal() or one in OTHER_CHARACTERS for one in name):
        allowed = "', '".join(OTHER_CHARACTERS)
        raise BadDefinition(
            f"Index name '{shown}' is not permitted. Only letters, digits and characters "
            f"('{allowed}') are allowed."
        )
    if STRAY_DOT.search(name):
        raise BadDefinition(
            f"Index name '{shown}' is not permitted. If a name contains '.' character then it "
            "must be surrounded by other allowed characters."
        )


def _begins(name: str, prefix: str) -> bool:
    return name[: len(prefix)].lower() == prefix.lower()


def _check_choices(index: str, field: str, options: Mapping[str, Any]) -> None:
    for option, known in CHOICES.items():
        value = options.get(option)
        if value is not None and value not in known:
            raise BadDefinition(
                f"{option} of field '{field}' of index '{index}' is one of {', '.join(known)}, "
                f"not '{str(value)[:64]}'"
            )
