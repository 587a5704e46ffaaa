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
    free_keys: frozenset[str] = frozenset()  # of the body, recorded or not: may hold anything
    fewer_keys: bool = False  # the body may leave out what was recorded
    sends: str | None = None  # the body, where the recording has only a word for it
    apart: bool = False  # sent to another database: it changes what later exchanges count


CLIENT_FAULT = "what the client got wrong is answered 4xx; the recorded server says 500"
NO_RESEND = "after a 408 the official clients send the batch, which is saved, to every other node"
MISSING = "503 with Database-Missing is what the official clients read as a missing database"
UNIQUE_IDS = "ids are unique in the cluster; the recorded server counts from 1 in every database"
THREE_DOCUMENTS = (
    '[{"Id":"bulk/1","Type":"PUT","Document":{"n":1,"@metadata":{"@collection":"Bulks"}}},'
    '{"Id":"bulk/2","Type":"PUT","Document":{"n":2,"@metadata":{"@collection":"Bulks"}}},'
    '{"Id":"bulk/3","Type":"PUT","Document":{"n":3,"@metadata":{"@collection":"Bulks"}}}]'
)
ERROR_TEXT = frozenset({"Message", "Error"})
FAIL_IMMEDIATELY = frozenset({"FailImmediately"})

DEVIATIONS: Mapping[str, Deviation] = {
    "080_index_put_bad_syntax/1": Deviation(
        "the place of what is wrong is told, too", free_keys=ERROR_TEXT
    ),
    "084_index_stats/1": Deviation(
        "by then the index may have been built, and SQLite is what builds it",
        free_keys=frozenset({"Results"}),
    ),
    "093_raw_save_wait_for_indexes_stopped_throw/1": Deviation(
        NO_RESEND, status=500, free_keys=ERROR_TEXT
    ),
    "044_cluster_tx_update_doc/2": Deviation(
        "the change vector in @metadata proves the guard: a loaded document can be saved again",
        status=201,
        like="043_cluster_tx_store_doc/1",
    ),
    "091_raw_save_wait_for_index_bad_timespan/1": Deviation(CLIENT_FAULT, status=400),
    "097_save_wait_for_replication_default_options/1": Deviation(
        "the official client sends None where its user named no number; the promised default is 1",
        status=500,
        like="098_save_wait_for_replication_1_throw/1",
        free_keys=FAIL_IMMEDIATELY | ERROR_TEXT | {"Url"},
        apart=True,
    ),
    "098_save_wait_for_replication_1_throw/1": Deviation(
        NO_RESEND, status=500, free_keys=FAIL_IMMEDIATELY
    ),
    "100_save_wait_for_replication_9_throw/1": Deviation(
        NO_RESEND, status=500, free_keys=FAIL_IMMEDIATELY
    ),
    "102_raw_save_wait_replication_bad_number/1": Deviation(CLIENT_FAULT, status=400),
    "117_query_rql_bad/1": Deviation(CLIENT_FAULT, status=400),
    "123_patch_bad_script/1": Deviation(CLIENT_FAULT, status=400, free_keys=ERROR_TEXT),
    "126_stats/1": Deviation(
        "a narrower automatic index is deleted as soon as a wider one has caught up",
        free_keys=frozenset(
            {
                *("CountOfIndexes", "Indexes", "LastIndexingTime"),
                *("LastDocEtag", "LastDatabaseEtag"),  # some were sent to another database
            }
        ),
    ),
    "145_raw_bulk_docs_malformed/1": Deviation(CLIENT_FAULT, status=400, free_keys=ERROR_TEXT),
    "146_raw_bulk_docs_unknown_type/1": Deviation(CLIENT_FAULT, status=400),
    "152_raw_license_status/1": Deviation(
        "this server knows no licence keys; it names its own licence",
        free_keys=frozenset({"Status", "Ratio", "DistributedCluster"}),
        fewer_keys=True,
    ),
    "155_raw_queries_delete/1": Deviation(UNIQUE_IDS, free_keys=frozenset({"OperationId"})),
    "156_raw_operations_next_id/1": Deviation(UNIQUE_IDS, free_keys=frozenset({"Id"})),
    "157_missing_database_load/2": Deviation(MISSING, status=503),
    "158_missing_database_save/1": Deviation(MISSING, status=503),
    "159_missing_database_stats/1": Deviation(MISSING, status=503),
    "160_bulk_insert_three/1": Deviation(UNIQUE_IDS, free_keys=frozenset({"Id"})),
    "160_bulk_insert_three/2": Deviation("its body was not recorded", sends=THREE_DOCUMENTS),
}


def read_not_covered() -> dict[str, str]:
    """The exchanges that this server does not answer as recorded yet, and why."""
    lines = NOT_COVERED_FILE.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), "each line is an exchange and a reason"
    return {name: reason for name, reason in pairs}
