"""How `quoth cluster status` shows a cluster: a table for people, JSON for programs."""

import json
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from quoth_node.admin import ClusterView, LogStatus

UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Row:
    """One member. None: it did not say."""

    tag: str
    url: str
    role: str | None
    term: int | None
    last_log_index: int | None
    commit_index: int | None
    applied_index: int | None
    lag: int | None  # entries of the leader's log that this node does not have
    error: str | None  # why it did not answer


def rows(view: ClusterView) -> list[Row]:
    """One row per member, by tag."""
    found = view.nodes.get(view.asked.leader or "")
    leader = found if isinstance(found, LogStatus) else None
    return [
        _row(tag, url, answer=view.nodes[tag], leader=leader)
        for tag, url in sorted(view.asked.members.items())
    ]


def to_json(view: ClusterView) -> str:
    """The view for programs; every key is always there."""
    nodes = [
        {
            "Tag": row.tag,
            "Url": row.url,
            "Reachable": row.error is None,
            "Role": row.role,
            "Term": row.term,
            "LastLogIndex": row.last_log_index,
            "CommitIndex": row.commit_index,
            "AppliedIndex": row.applied_index,
            "Lag": row.lag,
            "Error": row.error,
        }
        for row in rows(view)
    ]
    cluster = {
        "ClusterId": view.asked.cluster_id,
        "Leader": view.asked.leader,
        "Term": view.asked.term,
        "AskedNode": view.asked.node_tag,
        "Nodes": nodes,
    }
    return json.dumps(cluster, indent=2)


def show(view: ClusterView, console: Console | None = None) -> None:
    """Print the view for people."""
    asked = view.asked
    title = f"cluster {asked.cluster_id}, term {asked.term}, leader {asked.leader or 'unknown'}"
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
    for heading in ("node", "url", "role", "term", "log", "commit", "applied", "lag"):
        numeric = heading in ("term", "log", "commit", "applied", "lag")
        # A url that is cut short helps nobody, nor does half a word.
        justify: Literal["left", "right"] = "right" if numeric else "left"
        whole = heading in ("url", "role")
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=whole)
    for row in rows(view):
        role = row.role if row.error is None else "[red]unreachable[/red]"
        numbers = (row.term, row.last_log_index, row.commit_index, row.applied_index, row.lag)
        table.add_row(row.tag, row.url, role, *(_number(number) for number in numbers))
    (console or Console()).print(table)


def _row(tag: str, url: str, *, answer: LogStatus | str, leader: LogStatus | None) -> Row:
    lag = _lag(tag, answer, leader)
    if isinstance(answer, str):
        return Row(tag, url, None, None, None, None, None, lag, answer)
    return Row(
        tag,
        url,
        answer.role,
        answer.term,
        answer.last_log_index,
        answer.commit_index,
        answer.applied_index,
        lag,
        None,
    )


def _lag(tag: str, answer: LogStatus | str, leader: LogStatus | None) -> int | None:
    if leader is None:
        return None
    if tag == leader.node_tag:
        return 0
    if tag in leader.lags and leader.lags[tag].entries is not None:
        return leader.lags[tag].entries
    if isinstance(answer, str):
        return None
    return max(0, leader.last_log_index - answer.last_log_index)


def _number(number: int | None) -> str:
    return UNKNOWN if number is None else str(number)
