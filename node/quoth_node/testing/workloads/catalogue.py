"""All workloads, by name. Each round of a run makes its own."""

from collections.abc import Callable

from quoth_node.testing.workloads.bank import Bank
from quoth_node.testing.workloads.identities import Identities
from quoth_node.testing.workloads.list_append import ListAppend
from quoth_node.testing.workloads.promises import Promises
from quoth_node.testing.workloads.registers import Registers
from quoth_node.testing.workloads.sequences import Sequences
from quoth_node.testing.workloads.sessions import Sessions
from quoth_node.testing.workloads.set_full import SetFull
from quoth_node.testing.workloads.workload import Workload

CATALOGUE: dict[str, Callable[[], Workload]] = {
    "registers": Registers,
    "bank": Bank,
    "list-append": ListAppend,
    "set": SetFull,
    "identities": Identities,
    "sequences": Sequences,
    "promises": Promises,
    "sessions": Sessions,
}
