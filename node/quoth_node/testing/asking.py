"""What a harness asks nodes over HTTP: how they stand, and a change of members. Blocks."""

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from quoth_node.errors import NotDone

ASK_SECONDS_MAX = 2.0
CHANGE_SECONDS_MAX = 60.0

# Nodes are on this machine, whatever the environment says of proxies.
_opener = build_opener(ProxyHandler({}))


def log_status(url: str) -> dict[str, Any] | None:
    """What the node at `url` says of its log; None if it does not answer in 2 s."""
    try:
        content = _ask("GET", f"{url}/admin/cluster/log", timeout_seconds=ASK_SECONDS_MAX)
    except NotDone:
        return None
    return content if isinstance(content, dict) else None


def remove_member(url: str, tag: str) -> None:
    """Ask the node at `url` to remove a member, through the log.

    Raises NotDone, which may mean that it happened all the same: ask for the members.
    """
    wanted = {"nodeTag": tag}
    _ask("DELETE", f"{url}/admin/cluster/node", wanted, timeout_seconds=CHANGE_SECONDS_MAX)


def _ask(
    method: str,
    url: str,
    parameters: Mapping[str, str] | None = None,
    *,
    timeout_seconds: float,
) -> Any:
    if parameters:
        url = f"{url}?{urlencode(parameters)}"
    try:
        with _opener.open(Request(url, method=method), timeout=timeout_seconds) as answer:
            body = answer.read()
        return json.loads(body) if body else None
    except HTTPError as error:
        raise NotDone(f"{url}: {error.code} {error.read()[:500]!r}") from error
    except (OSError, HTTPException, ValueError) as error:  # a node that died in mid-answer, too
        raise NotDone(f"{url}: {error!r}") from error
