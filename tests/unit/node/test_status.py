"""What `quoth cluster status` makes of the answers it got."""

import io
import json

from rich.console import Console

from quoth_node.admin import ClusterView, Lag, LogStatus
from quoth_node.status import rows, show, to_json

URLS = {tag: f"http://127.0.0.1:{8080 + number}" for number, tag in enumerate("ABC")}


def status(tag: str, *, leader: str | None = "A", last_log_index: int = 10) -> LogStatus:
    return LogStatus(
        cluster_id="c",
        node_tag=tag,
        role="Leader" if tag == leader else "Follower",
        leader=leader,
        term=3,
        last_log_index=last_log_index,
        commit_index=last_log_index,
        applied_index=last_log_index,
        members=URLS,
        lags={"B": Lag(True, 2), "C": Lag(False, 7)} if tag == leader else {},
    )


def test_the_leader_knows_how_far_the_others_are() -> None:
    answers: dict[str, LogStatus | str] = {"A": status("A"), "B": status("B"), "C": "?"}
    view = ClusterView(status("B"), answers)
    assert [(row.tag, row.role, row.lag) for row in rows(view)] == [
        ("A", "Leader", 0),
        ("B", "Follower", 2),
        ("C", None, 7),
    ]


def test_without_the_leader_nobody_knows_lags() -> None:
    answers: dict[str, LogStatus | str] = {tag: status(tag, leader=None) for tag in URLS}
    view = ClusterView(status("B", leader=None), answers)
    assert [row.lag for row in rows(view)] == [None, None, None]


def test_a_silent_node_is_shown_as_such_in_a_table_and_in_json() -> None:
    view = ClusterView(status("A"), {"A": status("A"), "B": status("B"), "C": "no route"})
    out = io.StringIO()
    show(view, Console(file=out, width=80))
    assert all(url in out.getvalue() for url in URLS.values())
    assert "unreachable" in out.getvalue()
    shown = json.loads(to_json(view))
    assert (shown["Leader"], shown["Term"]) == ("A", 3)
    assert [node["Reachable"] for node in shown["Nodes"]] == [True, True, False]
    assert shown["Nodes"][2]["Error"] == "no route"
