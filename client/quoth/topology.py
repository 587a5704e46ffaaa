"""Which nodes there are, and in which order to try them. Pure."""

from collections.abc import Mapping, Sequence
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


def in_order(urls: Sequence[str], failed_until: Mapping[str, float], now: float) -> list[str]:
    """The nodes to try: healthy ones as preferred, then failed ones, longest ago first.

    A failed node is not left out: it may be the only one there is.
    """
    return sorted(urls, key=lambda url: max(failed_until.get(url, now), now))


def _merged(urls: Sequence[str], known: Sequence[str], etag: object) -> Topology:
    number = etag if isinstance(etag, int) else None
    return Topology(normal_urls([*urls, *known]), number)
