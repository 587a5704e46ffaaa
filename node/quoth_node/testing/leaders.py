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
        self._known: set[tuple[str, int]] = set()
        self._claims: dict[int, list[str]] = {}  # term -> who said that it leads in it
        self._lock = Lock()

    def hear(self, statuses: Iterable[Mapping[str, Any] | None], *, at: int) -> None:
        """Note what nodes said at a time of the run, in microseconds."""
        told = [status for status in statuses if status]
        found = leading(told)
        with self._lock:
            for status in told:
                if status["Role"] == ROLE_OF_LEADERS:
                    self._claim(str(status["NodeTag"]), int(status["Term"]))
                    self._note(str(status["NodeTag"]), int(status["Term"]), at)
            if found:
                self._note(*found, at)

    def _note(self, leader: str, term: int, at: int) -> None:
        if (leader, term) not in self._known:
            self._known.add((leader, term))
            self.led.append(Led(leader=leader, term=term, at=at))

    def _claim(self, leader: str, term: int) -> None:
        """A node's own word. What others say of it may be of an older term than theirs."""
        claims = self._claims.setdefault(term, [])
        if leader in claims:
            return
        if claims:
            told = f"{claims[0]} and {leader} both led term {term}"
            self.violations.append(Violation(anomaly="split-brain", key=f"term {term}", told=told))
        claims.append(leader)
