"""Virtual clients: they write, read, wait for replicas, change the membership; all is noted."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from quoth_cluster.errors import FateUnknown, MembershipRefused, NotProposed, NotReadable
from quoth_cluster.log import Change, Member, MembershipChange, Vote
from tests.simulator.history import ADD, CAS, PUT, READ, Operation
from tests.simulator.member import Life, Node
from tests.simulator.registers import pack

if TYPE_CHECKING:
    from tests.simulator.world import World

PATIENCES = (0.05, 0.3, 1.0, 3.0)
LAST_PATIENCE = 6.0


@dataclass(eq=False, slots=True)
class Client:
    """One who asks one thing at a time."""

    number: int
    home: str = ""
    operation: Operation | None = None
    life: Life | None = None
    seen: int = 0  # the value it saw last


class Clients:
    """All clients of a world."""

    def __init__(self, world: "World") -> None:
        self.wrote_last = False
        self._world = world
        self._uid = 0
        self._clients = [Client(number) for number in range(world.profile.clients)]
        self._readers: list[Client] = []
        self._keys = [f"k{number}" for number in range(world.profile.keys)]

    def start(self) -> None:
        for client in self._clients:
            self._later(client)

    def has_read_everything(self) -> bool:
        members = self._world.members()
        return all(client.operation is None for client in self._readers if client.home in members)

    def on_death(self, life: Life) -> None:
        """The node a client talked to is gone: what it asked is open."""
        for client in self._clients:
            if client.life is life and client.operation is not None:
                seconds = self._world.dice.uniform(0.0, 0.01)
                self._world.time.after(seconds, self._give_up, client, client.operation)

    def last_write(self) -> None:
        """In the calm, one write must be accepted."""
        client = Client(len(self._clients))
        self._clients.append(client)
        self._write_last(client)

    def read_everything(self) -> None:
        """At the end, every member says what it holds."""
        for tag in self._world.members():
            for key in self._keys:
                client = Client(len(self._clients), tag)
                self._clients.append(client)
                self._readers.append(client)
                life = self._world.nodes[tag].life
                if life is None:
                    continue  # it was removed meanwhile
                self._call(client, life, READ, key, (), LAST_PATIENCE)

    # -- one client

    def _later(self, client: Client) -> None:
        world = self._world
        if not world.is_calm:
            seconds = world.dice.uniform(0.0, 2 * world.profile.think_seconds)
            world.time.after(seconds, self._next, client)

    def _next(self, client: Client) -> None:
        world, dice = self._world, self._world.dice
        if world.is_calm or client.operation is not None:
            return
        nodes = world.up()
        if client.home not in world.nodes or dice.random() < 0.2:
            client.home = dice.choice(nodes).tag if nodes else ""
        life = world.nodes[client.home].life if client.home else None
        if life is None:
            client.home = ""
            world.time.after(0.03, self._next, client)
            return
        verb = dice.choices([READ, PUT, CAS, ADD], [5, 4, 3, 1])[0]
        key = dice.choice(self._keys)
        given: tuple[int, ...] = ()
        if verb == PUT:
            given = (self._uid + 1,)
        elif verb == CAS:
            given = (client.seen, self._uid + 1)
        elif verb == ADD:
            given = (1_000_000,)
        self._call(client, life, verb, key, given, dice.choice(PATIENCES))

    def _call(
        self,
        client: Client,
        life: Life,
        verb: str,
        key: str,
        given: tuple[int, ...],
        patience: float,
    ) -> None:
        self._uid += 1
        time = self._world.time
        operation = Operation(self._uid, client.number, key, verb, given, time.now)
        self._world.watch.operations.append(operation)
        client.operation, client.life = operation, life
        work = self._read if verb == READ else self._write
        start = partial(self._start, life, partial(work, client, life, operation, patience))
        time.after(self._world.dice.uniform(0.0, 0.002), start, loop=life.loop)
        time.after(patience + 0.5, self._give_up, client, operation)

    def _start(self, life: Life, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        life.loop.create_task(work()).add_done_callback(self._seen_done)

    def _seen_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._world.watch.fail(f"a client was told {type(error).__name__}: {error}")

    def _give_up(self, client: Client, operation: Operation) -> None:
        if client.operation is operation:
            self._return(client, operation, None)

    def _return(
        self,
        client: Client,
        operation: Operation,
        ok: bool | None,
        answer: tuple[bool, int] | None = None,
        command_index: int = 0,
    ) -> None:
        if client.operation is not operation:
            return  # it had given up
        operation.ok = ok
        operation.answer = answer
        operation.command_index = command_index
        if ok is not None:
            operation.returned_at = self._world.time.now
        if answer is not None:
            client.seen = answer[1]
            if operation.verb in (PUT, CAS) and answer[0]:
                client.seen = operation.given[-1]
        self._world.trace("answer", operation.uid, operation.verb, ok, answer, command_index)
        client.operation = client.life = None
        self._later(client)

    # -- what runs at the node

    async def _write(
        self, client: Client, life: Life, operation: Operation, patience: float
    ) -> None:
        watch = self._world.watch
        command = pack(operation.uid, operation.verb, operation.key, *operation.given)
        try:
            applied = await life.group.propose(command, timeout_seconds=patience)
        except NotProposed as error:
            watch.on_not_proposed(operation.uid, f"was told not proposed: {error}")
            self._return(client, operation, False)
            return
        except FateUnknown:
            self._return(client, operation, None)
            return
        watch.on_applied(operation, applied.log_index)
        if life.machine.state.position.log_index < applied.log_index:
            watch.fail(f"{operation} is answered before it is applied there")
        outcome = applied.outcome
        assert isinstance(outcome, tuple)
        self._return(client, operation, True, outcome, applied.command_index)
        await self._follow_up(life, applied.log_index, applied.command_index)

    async def _follow_up(self, life: Life, log_index: int, command_index: int) -> None:
        """Now and then: wait for replicas, or read one's own write elsewhere."""
        world = self._world
        roll = world.dice.random()
        if roll < 0.1:
            count = world.dice.choice([1, 2])
            seconds = world.dice.choice([0.1, 0.5])
            told = await life.group.wait_for_replicas(log_index, count, timeout_seconds=seconds)
            most = world.watch.applied_most
            true = sum(most[tag] >= log_index for tag in most if tag != life.links.tag)
            if told > true:
                world.watch.fail(f"{told} replicas of slot {log_index} were told, {true} are")
        elif roll < 0.2 and (nodes := world.up()):
            other = world.dice.choice(nodes).life
            assert other is not None
            start = partial(self._start, other, partial(self._own, other, command_index))
            world.time.after(0.001, start, loop=other.loop)

    async def _own(self, life: Life, command_index: int) -> None:
        if await life.group.wait_for_command(command_index, timeout_seconds=0.3):
            there = life.machine.state.position.command_index
            if there < command_index:
                self._world.watch.fail(f"command {command_index} was waited for; {there} is there")

    async def _read(
        self, client: Client, life: Life, operation: Operation, patience: float
    ) -> None:
        try:
            await life.group.current(timeout_seconds=patience)
        except NotReadable:
            self._return(client, operation, False)
            return
        state = life.machine.state
        value = state.registers[operation.key].value if operation.key in state.registers else 0
        self._return(client, operation, True, (True, value), state.position.command_index)

    def _write_last(self, client: Client) -> None:
        """Try again and again, at any member."""
        world = self._world
        if self.wrote_last:
            return
        known = client.operation
        if known is None:
            last = [op for op in world.watch.operations if op.client == client.number]
            if last and last[-1].ok:
                self.wrote_last = True
                return
            lives = [world.nodes[tag].life for tag in world.members()]
            there = [life for life in lives if life is not None]
            if there:
                life = world.dice.choice(there)
                self._call(client, life, PUT, "last", (self._uid + 1,), 1.0)
        world.time.after(0.02, self._write_last, client)


class Admins:
    """They add, remove and replace nodes, two at a time, without asking each other."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._attempts = 0
        self._wiped_at: dict[str, int] = {}

    def start(self) -> None:
        for _ in range(2):
            self._later()

    def _later(self) -> None:
        self._world.time.after(self._world.dice.uniform(0.2, 1.5), self._next)

    def _next(self) -> None:
        world, dice = self._world, self._world.dice
        if world.is_calm:
            return
        self._later()
        members = world.members()
        if len(members) > 2 and dice.random() < 0.5:
            leader = world.leader()
            tag = leader.tag if leader and dice.random() < 0.3 else dice.choice(members)
            if tag in members:
                verb = dice.choice([Change.REMOVE, Change.REMOVE, Change.DEMOTE, Change.PROMOTE])
                self.ask(verb, world.nodes[tag])
        elif len(members) < world.size + 1:
            self._add(members)

    def _add(self, members: list[str]) -> None:
        world = self._world
        spare = [tag for tag in "ABCDEFG"[: world.size + 2] if tag not in members]
        if not spare:
            return
        tag = world.dice.choice(spare)
        if tag not in world.nodes:
            world.make_node(tag).contacts = world.contacts(without=tag)
            self._wiped_at[tag] = world.watch.last_index
        node = world.nodes[tag]
        if self._is_removed_since(tag, self._wiped_at.get(tag, 0)):
            if node.is_up:
                node.kill()
            node.wipe(world.contacts(without=tag))
            self._wiped_at[tag] = world.watch.last_index
        if not node.is_up:
            node.start()
        world.time.after(world.dice.uniform(0.01, 0.2), self.ask, Change.ADD, node)

    def _is_removed_since(self, tag: str, log_index: int) -> bool:
        past = self._world.watch.past
        for at in range(self._world.watch.last_index, max(log_index, 1), -1):
            change = past[at].entry.membership
            if change is not None and change.member.tag == tag:
                return change.change is Change.REMOVE
        return False

    def ask(self, verb: Change, node: Node, *, incarnation: bytes = b"") -> None:
        """Ask any node for the change, of this incarnation of `node`, whatever comes of it."""
        world = self._world
        nodes = world.up()
        if not nodes:
            return
        life = world.dice.choice(nodes).life
        assert life is not None
        self._attempts += 1
        vote = Vote.WATCHER if world.dice.random() < 0.2 else Vote.PROMOTABLE
        url = f"http://{node.tag}/{self._attempts}"  # tells one attempt from another
        member = Member(node.tag, url, node.me.peer_address, vote, incarnation)
        change = MembershipChange(verb, member)
        world.time.after(0.001, self._start, life, change, loop=life.loop)

    def _start(self, life: Life, change: MembershipChange) -> None:
        self._world.trace("ask", life.links.tag, change.change, change.member.tag)
        task = life.loop.create_task(self._change(life, change))
        task.add_done_callback(self._world.clients._seen_done)

    async def _change(self, life: Life, change: MembershipChange) -> None:
        watch = self._world.watch
        told = "unknown"
        try:
            await life.group.change_membership(change, timeout_seconds=2.0)
            told = "done"
        except (NotProposed, MembershipRefused) as error:
            told = f"not done: {error}"
        except FateUnknown as error:
            told = f"unknown: {error}"
        self._world.trace("told", change.change, change.member.tag, told)
        if change.change is Change.ADD:
            watch.on_change_told(change, told)
