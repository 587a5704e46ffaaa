"""The recorded exchanges of a real server with its official client, read from a folder.

The folder is QUOTH_GOLDEN, or `../shared/reference/golden` beside the project. It is not part of
the project; without it these tests skip.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[3]
DEFAULT_FOLDER = ROOT.parent / "shared" / "reference" / "golden"
# Of the connection, not of the protocol.
HEADERS_LEFT_OUT = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent"}
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what the recorded server answered."""

    name: str  # '044_cluster_tx_update_doc/2': the recording, and which of its exchanges
    method: str
    path: str  # with the query, exactly as sent
    headers: Mapping[str, str]
    body: Any  # JSON, text of what was not JSON, or None
    status: int
    answer_headers: Mapping[str, str]
    answer: Any  # JSON, '' if there was no body


def golden_folder() -> Path:
    """Where the recordings should be."""
    return Path(os.environ.get("QUOTH_GOLDEN") or DEFAULT_FOLDER)


def read_exchanges(folder: Path) -> list[Exchange]:
    """All exchanges in the order they happened; none if there is no folder."""
    found: list[Exchange] = []
    for path in sorted(folder.glob("[0-9][0-9][0-9]_*.json")):
        recording = json.loads(path.read_text(encoding="utf-8"))
        exchanges = recording.get("exchanges", ())  # the first file only lists the others
        found.extend(
            _exchange(f"{path.stem}/{number}", content)
            for number, content in enumerate(exchanges, start=1)
        )
    return found


def _exchange(name: str, content: Mapping[str, Any]) -> Exchange:
    url = urlsplit(content["url"])
    return Exchange(
        name=name,
        method=content["method"],
        path=content["url"].removeprefix(f"{url.scheme}://{url.netloc}"),
        headers={
            key: value
            for key, value in content["request_headers"].items()
            if key.lower() not in HEADERS_LEFT_OUT
        },
        body=content["request_body"],
        status=content["status"],
        answer_headers={key.lower(): value for key, value in content["response_headers"].items()},
        answer=content["response_body"],
    )
