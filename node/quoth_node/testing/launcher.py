"""`python -m quoth_node.testing.launcher ARGUMENTS`: what `quoth node start ARGUMENTS` does.

The environment may ask for more, by QUOTH_TESTING, a JSON object or the path of a file with one:

    "dial"   path of a JSON file, {"host:port" of a peer: "host:port" to connect to instead}; it is
             read anew for each connection, so it may be replaced while the node runs
    "power"  path of a folder for records of what is not synced (`power.python_recorder`), for
             where the layer that records all cannot be had
    "bug"    name of a bug to plant (`quoth_node.testing.bugs`), for tests of those who look for it

Nothing of a node knows this: it is the node as it is, started in a world that was prepared.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

VARIABLE = "QUOTH_TESTING"


def main() -> None:
    """Prepare the world, and run the node in it."""
    wanted = read_wish(os.environ.get(VARIABLE, ""))
    if wanted.get("dial"):
        dial_by(Path(wanted["dial"]))
    if wanted.get("power"):
        recorder = import_module("quoth_node.testing.power.python_recorder")
        recorder.PythonRecorder(Path(wanted["power"])).install()
    if wanted.get("bug"):
        # By its name, so that a node without a bug does not even load them.
        import_module("quoth_node.testing.bugs").plant(wanted["bug"])
    from quoth_node.cli import main as run

    sys.argv = ["quoth", "node", "start", *sys.argv[1:]]
    run()


def read_wish(text: str) -> Mapping[str, Any]:
    """What is asked for; nothing if `text` is empty. Raises ValueError or OSError."""
    if text and not text.lstrip().startswith("{"):
        text = Path(text).read_text(encoding="utf-8")
    wanted: dict[str, Any] = json.loads(text) if text else {}
    unknown = set(wanted) - {"dial", "bug", "power"}
    if unknown:
        raise ValueError(f"{VARIABLE} asks for what is not known here: {sorted(unknown)}")
    return wanted


def dial_by(path: Path) -> None:
    """Let streams connect to where the file says. In a node, only links to peers are streams."""
    connect = asyncio.open_connection

    async def open_connection(
        host: str, port: int, **options: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # A few bytes of the page cache, some times a second at most.
        instead = json.loads(path.read_bytes()).get(f"{host}:{port}")  # noqa: ASYNC240
        if instead is not None:
            host, _, told = instead.rpartition(":")
            port = int(told)
        return await connect(host, port, **options)

    asyncio.open_connection = open_connection  # type: ignore[assignment]


if __name__ == "__main__":
    main()
