"""One script run in this process: what it is given, and what comes of it."""

from typing import Any

from quoth_node.scripting.engine import Engine
from quoth_node.scripting.task import GivenDocument, Missing, Ran, ScriptTask, read_result

AT = 1_700_000_000_123_456
DOCUMENT = (
    b'{"name":"x","n":1,"@metadata":{"@collection":"Users","@change-vector":"A:1-x",'
    b'"@id":"users/1","@last-modified":"2023-11-14T22:13:20.1234560Z"}}'
)


def task(
    script: str,
    *,
    document: bytes = DOCUMENT,
    arguments: bytes = b"{}",
    documents: dict[str, bytes | None] | None = None,
    values: dict[str, bytes | None] | None = None,
    seed: int = 5,
) -> ScriptTask:
    """A run of `script` on users/1."""
    given = {
        name: None if text is None else GivenDocument(name.lower(), text)
        for name, text in (documents or {}).items()
    }
    return ScriptTask(
        script=script,
        document_id="users/1",
        document=document,
        at_micros=AT,
        seed=seed,
        next_etag=7,
        node_tag="A",
        arguments=arguments,
        documents=given,
        values=values or {},
    )


def result(script: str, **given: Any) -> Ran | Missing:
    """What comes of a script."""
    return read_result(Engine().run(task(script, **given).to_json()))


def ran(script: str, **given: Any) -> Ran:
    """What comes of a script that has all it asks for."""
    found = result(script, **given)
    assert isinstance(found, Ran), found
    return found


def changed(script: str, **given: Any) -> dict[str, Any]:
    """The document after a script, without metadata."""
    document = dict(ran(script, **given).document)
    document.pop("@metadata", None)
    return document


def text_after(script: str, document: str) -> str:
    """The text that the engine makes of a document."""
    text = Engine().run(task(script, document=document.encode()).to_json()).decode()
    start, end = '{"document":', ',"written":'
    assert text.startswith(start), text
    return text[len(start) : text.index(end)]
