"""Indexes of real nodes, asked over HTTP, and the processes that build them."""

from pathlib import Path
from typing import Any

import requests

from scripts.local_cluster import wait_for

ASK_SECONDS_MAX = 60.0
CHILD = "quoth_node.indexing.child"
BY_NAME = {"Name": "Users/ByName", "Maps": ["from u in docs.Users select new { u.name }"]}
BY_CITY = {
    "Name": "Users/ByCity",
    "Maps": ["from u in docs.Users select new { u.city, Count = 1 }"],
    "Reduce": "from r in results group r by r.city into g "
    "select new { city = g.Key, Count = g.Sum(x => x.Count) }",
}


def ask(url: str, method: str, path: str, **options: Any) -> requests.Response:
    """One request to a node."""
    return requests.request(method, f"{url}/{path}", timeout=ASK_SECONDS_MAX, **options)


def make(url: str) -> None:
    """The database `shop`."""
    made = ask(url, "PUT", "admin/databases?name=shop", json={"DatabaseName": "shop"})
    assert made.status_code == 201, made.text


def save(url: str, *commands: dict[str, Any], query: str = "") -> requests.Response:
    """One batch."""
    return ask(url, "POST", f"databases/shop/bulk_docs{query}", json={"Commands": commands})


def user(number: int, city: str) -> dict[str, Any]:
    """The command that stores a user."""
    body = {"name": f"Name {number}", "city": city, "@metadata": {"@collection": "Users"}}
    return {"Id": f"users/{number}", "Type": "PUT", "ChangeVector": None, "Document": body}


def gone(number: int) -> dict[str, Any]:
    """The command that deletes a user."""
    return {"Id": f"users/{number}", "Type": "DELETE", "ChangeVector": None}


def define(url: str, *definitions: dict[str, Any]) -> None:
    """Put static indexes."""
    put = ask(url, "PUT", "databases/shop/admin/indexes", json={"Indexes": definitions})
    assert put.status_code == 201, put.text


def query(url: str, text: str, **more: Any) -> dict[str, Any]:
    """What a query gives."""
    answer = ask(url, "POST", "databases/shop/queries", json={"Query": text, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def counts(url: str) -> dict[str, int]:
    """The reduced index, as it stands."""
    results = query(url, "from index 'Users/ByCity'")["Results"]
    return {row["city"]: row["Count"] for row in results}


def stats(url: str) -> dict[str, dict[str, Any]]:
    """What is told of all indexes, by name."""
    rows = ask(url, "GET", "databases/shop/indexes/stats").json()["Results"]
    return {row["Name"]: row for row in rows}


def until_read(url: str, *, seconds: float = 60.0) -> dict[str, dict[str, Any]]:
    """The same, once all have read everything."""

    def current() -> dict[str, dict[str, Any]] | None:
        told = stats(url)
        return None if any(row["IsStale"] for row in told.values()) else told

    return wait_for(current, seconds, f"the indexes of {url} do not come to the end")


def indexers(node: int | None = None) -> list[int]:
    """The pids of the indexers of one node; with None of all that were started for nobody else."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (told := _told(folder)) is not None:
            parent, words = told
            if CHILD in words and (node is None or parent == node):
                found.append(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether the process is there, and no corpse."""
    told = _told(Path(f"/proc/{pid}"))
    return told is not None and CHILD in told[1]


def _told(folder: Path) -> tuple[int, list[str]] | None:
    """Parent and command line of a process."""
    try:
        parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        return parent, (folder / "cmdline").read_text().split("\0")
    except (OSError, IndexError, ValueError):
        return None
