"""Whether nodes can run here at all: the client is often installed alone."""

from importlib.util import find_spec

NEEDED = ("aiohttp", "apsw", "lark", "lmdb", "pysyncobj", "typer")


class ServerMissing(RuntimeError):
    """What nodes need is not installed; the message says what to install."""


def require_server() -> None:
    """Raise ServerMissing if a node could not start. Imports nothing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ServerMissing(
            f"nodes of quoth need {', '.join(missing)}, which comes with the server: "
            "pip install 'quoth[server]'"
        )
