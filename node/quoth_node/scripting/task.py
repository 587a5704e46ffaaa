"""What a script is run on, and what may come of it: values, and their bytes between processes.

A run is a function of its task: time, chance and everything that was read are in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

OBJECT = b"{}"


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


class ScriptNotParsed(ScriptFailed):
    """A script is no JavaScript."""


def read_result(text: bytes) -> Ran | Missing:
    """What the engine says came of a task.

    Raises ScriptFailed, ScriptNotParsed.
    """
    try:
        result = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Lone surrogates, or nesting that JavaScript writes and nobody here reads.
        raise ScriptFailed(f"What the script made is no JSON to be kept: {error}") from error
    if (failure := result.get("failure")) is not None:
        cls = ScriptNotParsed if failure["kind"] == "parse" else ScriptFailed
        raise cls(str(failure["message"]))
    if (missing := result.get("missing")) is not None:
        return Missing(tuple(missing["documents"]), tuple(missing["values"]))
    if not isinstance(result["document"], dict):
        raise ScriptFailed("The script made something else than an object of its document")
    return Ran(
        document=result["document"],
        written=tuple(
            Written(one["id"], one["document"], _text(one["changeVector"]))
            for one in result["written"]
        ),
        loaded=tuple(map(str, result["loaded"])),
        output=tuple(result["output"]),
    )


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ScriptFailed("A change vector is a string")
    return value
