"""All workloads by their names."""

from collections.abc import Callable, Mapping

from quoth_node.testing.workloads.bank import Bank
from quoth_node.testing.workloads.identities import Identities
from quoth_node.testing.workloads.list_append import ListAppend
from quoth_node.testing.workloads.promises import Promises
from quoth_node.testing.workloads.registers import Registers
from quoth_node.testing.workloads.sequences import Sequences
from quoth_node.testing.workloads.sessions import Sessions
from quoth_node.testing.workloads.set_full import SetFull
from quoth_node.testing.workloads.workload import Workload

CATALOGUE: Mapping[str, Callable[[], Workload]] = {
    Registers.name: Registers,
    Bank.name: Bank,
    ListAppend.name: ListAppend,
    SetFull.name: SetFull,
    Identities.name: Identities,
    Sequences.name: Sequences,
    Promises.name: Promises,
    Sessions.name: Sessions,
}
