"""Which nodes there are, as servers tell it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from quoth.serialization import JsonObject


@dataclass(frozen=True, slots=True)
class Topology:
    """The nodes, the preferred one first. `etag` is the server's, None before any was asked."""

    urls: tuple[str, ...]
    etag: int | None = None


def normal_urls(urls: str | Sequence[str]) -> tuple[str, ...]:
    """URLs without a slash at the end, each once."""
    given = [urls] if isinstance(urls, str) else urls
    return tuple(dict.fromkeys(each.strip().rstrip("/") for each in given))


def from_database_answer(found: JsonObject, known: Sequence[str]) -> Topology:
    """From `/topology`: members before others, then `known` ones it does not list."""
    nodes = sorted(found["Nodes"], key=lambda each: each.get("ServerRole") != "Member")
    return _merged([each["Url"] for each in nodes], known, found.get("Etag"))


def from_cluster_answer(found: JsonObject, known: Sequence[str]) -> Topology:
    """From `/cluster/topology`: the members by their tags, then `known` ones it does not list."""
    members = found["Topology"].get("Members") or {}
    return _merged([members[tag] for tag in sorted(members)], known, found.get("Etag"))


def _merged(urls: Sequence[str], known: Sequence[str], etag: object) -> Topology:
    number = etag if isinstance(etag, int) else None
    return Topology(normal_urls([*urls, *known]), number)
