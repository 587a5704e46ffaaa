"""R2: money moves between documents and compare-exchange values in one batch, and none is lost.

There are three banks, because what one request reads is of one state, and two requests are not: in
`documents` and in `values` all accounts are of one kind, and every client can read all of them at
once. In `mixed` half of the accounts are documents and half are values, and only a serializable
session can read them as of one state.
"""

from collections.abc import Sequence
from random import Random

from quoth_node.testing.checkers import bank
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.recorder import Notes
from quoth_node.testing.workloads.speaker import Found, Mode, NotDone, Speaker, Writes
from quoth_node.testing.workloads.speakers import Speakers
from quoth_node.testing.workloads.workload import READER, Surroundings

ACCOUNTS, BALANCE = 6, 100  # of each bank; what each account begins with
AMOUNT_MAX = 20
BANKS = ("documents", "values", "mixed")
READS = 0.35  # of all operations


def accounts_of(bank_name: str) -> tuple[list[str], list[str]]:
    """Ids of the documents and keys of the values that are the accounts of a bank."""
    names = [f"{bank_name}/{number}" for number in range(ACCOUNTS)]
    half = {"documents": ACCOUNTS, "values": 0, "mixed": ACCOUNTS // 2}[bank_name]
    return names[:half], names[half:]


class Bank:
    """The workload."""

    name = "bank"
    goal = "R2"
    clients = 6
    floor_per_minute = 300

    def __init__(self) -> None:
        self._speakers = Speakers()

    async def prepare(self, around: Surroundings) -> None:
        async with self._speakers.plain(around) as plain:
            for name in BANKS:
                ids, keys = accounts_of(name)
                opened = Writes(
                    {one: {"balance": BALANCE} for one in ids}, dict.fromkeys(keys, BALANCE)
                )
                await plain.transact(ids, keys, lambda _, opened=opened: opened, mode=Mode.CLUSTER)  # type: ignore[misc]

    def client(self, number: int, around: Surroundings, chance: Random) -> "BankClient":
        return BankClient(number, self._speakers.open(number, around), around, chance)

    async def finish(self, around: Surroundings) -> None:
        """Read every bank, and those of one kind through every node."""
        async with self._speakers.plain(around) as plain:
            await plain.learn_nodes()
            teller = BankClient(READER, plain, around, Random(around.seed))
            for _ in plain.urls:
                for name in ("documents", "values"):
                    await teller.read(name)
        own = BankClient(READER, self._speakers.own(around), around, Random(around.seed))
        await own.read("mixed")
        await own.close()

    def check(self, operations: Sequence[Operation]) -> list[Violation]:
        found: list[Violation] = []
        for name in BANKS:
            of_bank = [one for one in operations if one.key == name]
            ids, keys = accounts_of(name)
            found += bank.check(of_bank, initial=dict.fromkeys((*ids, *keys), BALANCE))
        return found


class BankClient:
    """One client of them."""

    def __init__(self, number: int, speaker: Speaker, around: Surroundings, chance: Random) -> None:
        self._speaker = speaker
        self._recorder = around.recorder
        self._note = Notes(around.recorder, number, speaker)
        self._chance = chance

    async def step(self) -> None:
        name = self._chance.choice(BANKS)
        can_read = name != "mixed" or Mode.SERIALIZABLE in self._speaker.modes
        if can_read and self._chance.random() < READS:
            await self.read(name)
        else:
            await self._transfer(name)

    async def close(self) -> None:
        await self._speaker.close()

    async def read(self, name: str) -> None:
        """Read all accounts of a bank as of one state."""
        ids, keys = accounts_of(name)
        balances: dict[str, int] = {}

        def look(found: Found) -> None:
            balances.update(balances_of(found))

        mode = Mode.SERIALIZABLE if name == "mixed" else Mode.CLUSTER
        call = self._recorder.now()
        try:
            await self._speaker.transact(ids, keys, look, mode=mode)
        except NotDone:
            return
        self._note(name, "read", (), balances, call, True)

    async def _transfer(self, name: str) -> None:
        """Move what there is, from one account to another of the bank."""
        ids, keys = accounts_of(name)
        source, target = self._chance.sample((*ids, *keys), 2)
        wanted = self._chance.randint(1, AMOUNT_MAX)
        used_ids = [one for one in (source, target) if one in ids]
        used_keys = [one for one in (source, target) if one in keys]
        moved: list[int] = []

        def decide(found: Found) -> Writes | None:
            balances = balances_of(found)
            amount = min(wanted, balances[source])
            moved.append(amount)
            if amount == 0:
                return None
            after = {source: balances[source] - amount, target: balances[target] + amount}
            return Writes(
                {one: {"balance": after[one]} for one in used_ids},
                {one: after[one] for one in used_keys},
            )

        mode = self._chance.choice([one for one in self._speaker.modes if one is not Mode.SINGLE])
        call = self._recorder.now()
        transfer = self._speaker.transact(used_ids, used_keys, decide, mode=mode)
        ok, index = await self._recorder.outcome(transfer)
        if moved and moved[-1]:
            self._note(name, "transfer", (source, target, moved[-1]), None, call, ok, index)


def balances_of(found: Found) -> dict[str, int]:
    """What was read of accounts; one that is gone is not in it."""
    documents = {name: body["balance"] for name, body in found.documents.items() if body}
    values = {name: value for name, value in found.values.items() if value is not None}
    return documents | values
