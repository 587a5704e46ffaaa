"""Whether all nodes hold the same (R5): what each gives of a database, summed up.

Clients are done, but a request whose answer nobody waits for may still be under way. It ends within
moments, and nodes that differ do so for good: they are compared again before it is said. Documents
come with their change vectors, compare-exchange values with their indexes, so that two nodes that
reached the same by different ways differ.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from quoth_node.admin import call_node
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.clock import pause

PAGE = 1_000
TRIES_MAX, AGAIN_SECONDS = 5, 1.0
ASK_SECONDS_MAX = 60.0
# What is asked for, and where in the answer its rows are.
KINDS = (("docs", "Results"), ("cmpxchg", "Results"))


async def disagreements(urls: Mapping[str, str], database: str) -> list[Violation]:
    """A violation for each kind of content that differs; `urls` are those of all members.

    Raises NotDone if a node does not answer.
    """
    for _ in range(TRIES_MAX - 1):
        if not await _compared(urls, database):
            return []
        await pause(AGAIN_SECONDS)
    return await _compared(urls, database)


async def _compared(urls: Mapping[str, str], database: str) -> list[Violation]:
    found: list[Violation] = []
    for path, rows in KINDS:
        sums = {tag: await _sum(url, database, path, rows) for tag, url in urls.items()}
        if len({digest for digest, _ in sums.values()}) > 1:
            told = ", ".join(f"{tag} {digest[:8]} of {n}" for tag, (digest, n) in sums.items())
            found.append(
                Violation(
                    anomaly="nodes-differ",
                    key=f"{database}/{path}",
                    told=f"the nodes do not hold the same {path}: {told} rows",
                )
            )
    return found


async def _sum(url: str, database: str, path: str, rows: str) -> tuple[str, int]:
    """A digest of all rows of one node, and how many there are."""
    digest, start = blake2b(digest_size=16), 0
    while True:
        answer: Any = await call_node(
            "GET",
            f"{url}/databases/{quote(database)}/{path}",
            parameters={"startsWith": "", "start": str(start), "pageSize": str(PAGE)},
            timeout_seconds=ASK_SECONDS_MAX,
        )
        page = answer[rows]
        for row in page:
            digest.update(repr(row).encode())
        start += len(page)
        if len(page) < PAGE:
            return digest.hexdigest(), start
