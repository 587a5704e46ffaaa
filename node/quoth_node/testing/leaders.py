"""Who led when, as told by the nodes, and that no term has two leaders (R5)."""

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any

from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Led

ROLE_OF_LEADERS = "Leader"


def leading(statuses: Iterable[Mapping[str, Any] | None]) -> tuple[str, int] | None:
    """The leader of the latest term in which one is known, and that term.

    `statuses` are answers of GET /admin/cluster/log; None: no answer.
    """
    known = [status for status in statuses if status and status["Leader"]]
    if not known:
        return None
    latest = max(known, key=lambda status: int(status["Term"]))
    return str(latest["Leader"]), int(latest["Term"])


class Leaders:
    """All that was heard of leaders. Two threads may tell it things at once."""

    def __init__(self) -> None:
        self.led: list[Led] = []  # each leader of each term once, when it was first heard of
        self.violations: list[Violation] = []
        self._by_term: dict[int, set[str]] = {}
        self._lock = Lock()

    def hear(self, statuses: Iterable[Mapping[str, Any] | None], *, at: int) -> None:
        """Note what nodes said at a time of the run, in microseconds."""
        told = [status for status in statuses if status]
        claims = [
            (str(status["NodeTag"]), int(status["Term"]))
            for status in told
            if status["Role"] == ROLE_OF_LEADERS
        ]
        found = leading(told)
        with self._lock:
            for leader, term in [*claims, *([found] if found else [])]:
                self._note(leader, term, at)

    def _note(self, leader: str, term: int, at: int) -> None:
        known = self._by_term.setdefault(term, set())
        if leader in known:
            return
        known.add(leader)
        self.led.append(Led(leader=leader, term=term, at=at))
        if len(known) > 1:
            both = " and ".join(sorted(known))
            self.violations.append(
                Violation(
                    anomaly="split-brain",
                    key=f"term {term}",
                    told=f"{both} both led term {term}",
                )
            )
