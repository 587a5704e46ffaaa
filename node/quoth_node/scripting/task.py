"""What a script is run on, and what may come of it: values, and their bytes between processes.

A run is a function of its task: time, chance and everything that was read are in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

OBJECT = b"{}"
SPOILT = "The script spoilt its engine: nothing can be read of what it made"


@dataclass(frozen=True, slots=True)
class GivenDocument:
    """A document that a script may load."""

    document_id: str
    json: bytes  # with @metadata


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptTask:
    """One run of one script. What it asks for and was not given, it is run again with."""

    script: str
    document_id: str
    document: bytes  # JSON object with @metadata
    at_micros: int
    seed: int  # 32 bits
    next_etag: int
    node_tag: str
    separator: str = "/"  # of the parts of ids
    arguments: bytes = OBJECT  # JSON object
    # By id or key as the script wrote it; None: there is none.
    documents: Mapping[str, GivenDocument | None] = field(default_factory=dict)
    values: Mapping[str, bytes | None] = field(default_factory=dict)  # compare-exchange values

    def to_json(self) -> bytes:
        """The task as the engine reads it."""
        return orjson.dumps(
            {
                "script": self.script,
                "id": self.document_id,
                "document": self.document.decode(),
                "arguments": self.arguments.decode(),
                "atMillis": self.at_micros // 1_000,
                "seed": self.seed,
                "nextEtag": self.next_etag,
                "nodeTag": self.node_tag,
                "separator": self.separator,
                "documents": [
                    [name, given.document_id, given.json.decode()] if given else [name, name, None]
                    for name, given in self.documents.items()
                ],
                "values": [
                    [key, None if value is None else value.decode()]
                    for key, value in self.values.items()
                ],
            }
        )


@dataclass(frozen=True, slots=True)
class Written:
    """A document that a script put; None: one that it deleted."""

    document_id: str
    document: dict[str, object] | None
    expected_change_vector: str | None


@dataclass(frozen=True, slots=True)
class Ran:
    """A script came to its end."""

    document: dict[str, object]
    written: tuple[Written, ...] = ()
    loaded: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """A script asked for what it was not given."""

    documents: tuple[str, ...]
    values: tuple[str, ...]


class ScriptFailed(Exception):
    """A script threw, or went over a limit; nothing of it counts."""


class ScriptOverLimit(ScriptFailed):
    """A script took more than it may: it is not worth running again."""


class ScriptNotParsed(ScriptFailed):
    """A script is no JavaScript."""


FAILURES = {"parse": ScriptNotParsed, "limit": ScriptOverLimit}


def read_result(text: bytes) -> Ran | Missing:
    """What the engine says came of a task.

    Raises ScriptFailed, ScriptNotParsed, ScriptOverLimit.
    """
    try:
        result = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Lone surrogates, or nesting that JavaScript writes and nobody here reads.
        raise ScriptFailed(f"What the script made is no JSON to be kept: {error}") from error
    match result:
        case {"failure": {"kind": str(kind), "message": str(message)}}:
            raise FAILURES.get(kind, ScriptFailed)(message)
        case {"missing": {"documents": list(documents), "values": list(values)}}:
            return Missing(_texts(documents), _texts(values))
        case {
            "document": dict(document),
            "written": list(written),
            "loaded": list(loaded),
            "output": list(output),
        }:
            return Ran(
                document, tuple(map(_written, written)), tuple(map(str, loaded)), _texts(output)
            )
        case {"document": _, "written": _}:
            raise ScriptFailed("The script made something else than an object of its document")
        case _:
            raise ScriptFailed(SPOILT)


def _written(one: object) -> Written:
    match one:
        case {"id": str(name), "document": dict() | None as document, "changeVector": vector}:
            if vector is not None and not isinstance(vector, str):
                raise ScriptFailed("A change vector is a string")
            return Written(name, document, vector)
        case _:
            raise ScriptFailed(SPOILT)


def _texts(values: list[object]) -> tuple[str, ...]:
    texts = tuple(value for value in values if isinstance(value, str))
    if len(texts) < len(values):
        raise ScriptFailed(SPOILT)
    return texts
