"""What the command line asks a running cluster: its log, its members, a change of them."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from quoth_node.errors import NotDone

ASK_SECONDS_MAX = 5.0
CHANGE_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a follower is behind, as the leader sees it."""

    connected: bool
    entries: int | None


@dataclass(frozen=True, slots=True)
class LogStatus:
    """How one node stands: the answer of GET /admin/cluster/log."""

    cluster_id: str
    node_tag: str
    role: str
    leader: str | None
    term: int
    last_log_index: int
    commit_index: int
    applied_index: int
    members: Mapping[str, str]  # tag -> url
    lags: Mapping[str, Lag]  # tag -> lag; complete only from the leader


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The answer of one node, and what every member says of itself: a status, or why none came."""

    asked: LogStatus
    nodes: Mapping[str, LogStatus | str]


async def ask_log(url: str) -> LogStatus:
    """How the node at `url` stands.

    Raises NotDone if it does not say.
    """
    answer = await call_node("GET", f"{url.rstrip('/')}/admin/cluster/log")
    try:
        return _log_status(answer)
    except (KeyError, TypeError, AttributeError) as error:
        raise NotDone(f"{url} does not answer like a node of quoth: {error!r}") from error


async def ask_cluster(url: str) -> ClusterView:
    """The cluster as the node at `url` sees it, each member asked too.

    Raises NotDone if that node does not answer; a silent member is part of the view.
    """
    asked = await ask_log(url)
    answers = await ask_each(asked.members.values())
    return ClusterView(asked, dict(zip(asked.members, answers, strict=True)))


async def ask_each(urls: Iterable[str]) -> list[LogStatus | str]:
    """How each node stands, or why it does not say."""
    return await asyncio.gather(*(_ask_member(url) for url in urls))


async def add_node(cluster_url: str, tag: str, node_url: str) -> None:
    """Make the running node at `node_url` a member, through the log.

    Raises NotDone if either of them refuses.
    """
    info = await call_node("GET", f"{node_url.rstrip('/')}/admin/cluster/join-info")
    found, peer = text_of(info, "NodeTag"), text_of(info, "PeerAddress")
    if found != tag:
        raise NotDone(f"the node at {node_url} is {found or 'not a node of quoth'}, not {tag}")
    mine = await call_node("GET", f"{cluster_url.rstrip('/')}/admin/cluster/join-info")
    if text_of(info, "ClusterId") != text_of(mine, "ClusterId"):
        # A member that never answers would count towards every majority.
        raise NotDone(f"the node at {node_url} belongs to another cluster than {cluster_url}")
    await call_node(
        "PUT",
        f"{cluster_url.rstrip('/')}/admin/cluster/node",
        parameters={"url": node_url.rstrip("/"), "tag": tag, "peer": peer},
        timeout_seconds=CHANGE_SECONDS_MAX,
    )


async def move_node(cluster_url: str, tag: str, *, to: str) -> None:
    """`promote` a watcher, which votes once it has caught up, or `demote` a member to a watcher.

    Raises NotDone if the cluster refuses.
    """
    await call_node(
        "POST",
        f"{cluster_url.rstrip('/')}/admin/cluster/{to}",
        parameters={"nodeTag": tag},
        timeout_seconds=CHANGE_SECONDS_MAX,
    )


async def remove_node(cluster_url: str, tag: str) -> None:
    """Remove a member, through the log.

    Raises NotDone if the cluster refuses.
    """
    await call_node(
        "DELETE",
        f"{cluster_url.rstrip('/')}/admin/cluster/node",
        parameters={"nodeTag": tag},
        timeout_seconds=CHANGE_SECONDS_MAX,
    )


async def _ask_member(url: str) -> LogStatus | str:
    try:
        return await ask_log(url)
    except NotDone as error:
        return str(error)


async def call_node(
    method: str,
    url: str,
    *,
    parameters: Mapping[str, str] | None = None,
    timeout_seconds: float = ASK_SECONDS_MAX,
) -> object:
    """The JSON answer of a node, None if it has no body.

    Raises NotDone with the node's own message, or why it could not be reached.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, params=parameters) as answer,
        ):
            body, status = await answer.read(), answer.status
    except TimeoutError as error:
        raise NotDone(f"{url} did not answer within {timeout_seconds:g} s") from error
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or str(error.os_error)
        raise NotDone(f"{url} cannot be reached: {reason}") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise NotDone(f"{url} cannot be reached: {error}") from error
    content = _json(body)
    if status >= 400:
        raise NotDone(text_of(content, "Message") or f"{url} answered with status {status}")
    return content


def _json(body: bytes) -> object:
    try:
        content: object = json.loads(body) if body else None
    except ValueError:
        return None
    return content


def text_of(content: object, key: str) -> str:
    """The text under `key`; empty if there is none."""
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, str) else ""


def _log_status(content: Any) -> LogStatus:
    return LogStatus(
        cluster_id=content["ClusterId"],
        node_tag=content["NodeTag"],
        role=content["Role"],
        leader=content["Leader"],
        term=content["Term"],
        last_log_index=content["LastLogIndex"],
        commit_index=content["CommitIndex"],
        applied_index=content["AppliedIndex"],
        members={member["Tag"]: member["Url"] for member in content["Members"]},
        lags={peer["Tag"]: Lag(peer["Connected"], peer["Lag"]) for peer in content["Peers"]},
    )
