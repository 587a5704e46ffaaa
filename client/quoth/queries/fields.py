"""Names in RQL: which may stand as they are, and how the others are quoted."""

import re

DOCUMENT_ID = "id()"
# Methods that stand in the place of a field.
_METHODS = frozenset({DOCUMENT_ID, "hash(key())", "key()", "value()", "spatial(shape)"})
_KEYWORDS = frozenset({"as", "select", "where", "load", "group", "order", "include"})
# Words that are conditions or values wherever they stand, in whatever case.
_RESERVED = frozenset({"and", "or", "not", "true", "false", "null", "distinct"})
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
# What may follow a word: items of a list, one call. Its brackets end where they began, so that no
# name ends the call it stands in.
_ENDS = r"(?:\[\w*\])*(?:\([\w@.]*\))?"
_STEP = rf"\.(?:[\w@]+{_ENDS}|{_QUOTED})"
# A path of words and of names that are quoted already: tags[].name, address.'zip code'.
_PATH = re.compile(rf"(?:(?:[^\W\d]|@)[\w@]*{_ENDS}|{_QUOTED})(?:{_STEP})*")
_WORD = re.compile(r"[^\W\d]\w*(?:\.\w+)*")


def quote(text: str) -> str:
    """A string literal of RQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def field_of(name: str) -> str:
    """A field by its name, quoted if it would not be read as one."""
    if not name or name in _METHODS:
        return name
    is_plain = name.lower() not in _RESERVED and _PATH.fullmatch(name)
    return name if is_plain else quote(name)


def written(field: str) -> str:
    """A field where a keyword of RQL would be read as such."""
    return quote(field) if field in _KEYWORDS else field


def alias_of(name: str) -> str:
    """What a selected value is to be called."""
    is_taken = name in _KEYWORDS or name.lower() in _RESERVED
    return name if _WORD.fullmatch(name) and not is_taken else quote(name)


def include_of(path: str) -> str:
    """The path of an include."""
    return path if re.fullmatch(r"[\w.]*", path) else quote(path)
