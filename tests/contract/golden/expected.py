"""What a covered exchange must answer: as recorded, but where this server deviates on purpose."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NOT_COVERED_FILE = Path(__file__).with_name("not_covered.txt")


@dataclass(frozen=True, slots=True)
class Deviation:
    """One answer that differs from the recorded one on purpose."""

    why: str
    status: int | None = None  # None: as recorded
    like: str | None = None  # the exchange whose answer is expected instead
    keys: frozenset[str] = frozenset()  # of the body, that may hold anything
    more_keys: frozenset[str] = frozenset()  # of the body, that were not recorded


ERROR_TEXT = frozenset({"Type", "Message", "Error"})
CLIENT_FAULT = "what the client got wrong is answered 4xx; the recorded server says 500"
NO_RESEND = "408 and 500 of a missing database make clients resend or misread; see the notes"

DEVIATIONS: Mapping[str, Deviation] = {
    "044_cluster_tx_update_doc/2": Deviation(
        "the change vector in @metadata proves the guard, so a loaded document can be saved again",
        status=201,
        like="043_cluster_tx_store_doc/1",
    ),
}


def read_not_covered() -> dict[str, str]:
    """The exchanges that this server does not answer as recorded yet, and why."""
    lines = NOT_COVERED_FILE.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), "each line is an exchange and a reason"
    return {name: reason for name, reason in pairs}
