"""What the step of one command works with, and what every step asks of its input."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quoth_cluster.collection_totals import CollectionTotals
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.store.environment import WriteTxn
from quoth_cluster.totals import Totals

AT_MICROS_MAX = 253_402_300_799_999_999  # the end of the year 9999, which ends the wire's times
INTEGER_MAX = 2**63 - 1  # the largest number clients and stored numbers can hold


@dataclass(slots=True)
class Step:
    """One command on its way into one database. What is written is committed by the caller."""

    txn: WriteTxn
    record: DatabaseRecord
    totals: Totals  # kept by the caller if the command was accepted
    command_index: int
    separator: str = "/"  # of the parts of ids that are made here
    # By key, kept by the caller if the command was accepted.
    collections: dict[bytes, CollectionTotals] = field(default_factory=dict)
    # By key: what commands before this one have made of what is stored.
    known: Mapping[bytes, CollectionTotals] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)  # collections whose documents it changed


def is_json_object(data: bytes) -> bool:
    """Whether `data` has the outside of a JSON object, which splicing relies on."""
    return data[:1] == b"{" and data[-1:] == b"}" and len(data) > 1


def invalid(message: str) -> Refused:
    """The command makes no sense as it stands."""
    return Refused(Refusal.INVALID, message)


def check_time(at_micros: int) -> Refused | None:
    """Refuse a time that could not be shown to a reader."""
    if 0 <= at_micros <= AT_MICROS_MAX:
        return None
    return invalid(f"The time of a command is within the years 1970 and 9999, not {at_micros}.")
