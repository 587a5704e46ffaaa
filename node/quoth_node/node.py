"""One node process, the composition root: parts are made, given what they need, and ended here.

folder -> journal + state -> raft group (links listen first) -> HTTP -> found, join or go on
"""

import asyncio
import gc
import logging
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial

from aiohttp import web

from quoth_cluster.clock import SeededChance, SystemClock
from quoth_cluster.errors import Fatal, NotReadable
from quoth_cluster.log import Member
from quoth_cluster.machine import Machine
from quoth_cluster.raft.group import RaftGroup
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.link import Identity, Links
from quoth_cluster.raft.neighbours import Contact
from quoth_cluster.raft.snapshot import adopt
from quoth_cluster.raft.snapshot_store import SnapshotStore
from quoth_cluster.raft.syncobj import Timing
from quoth_cluster.state_copy import replace_state
from quoth_node.config import NodeConfig
from quoth_node.database.background import open_background
from quoth_node.database.operations import Operations
from quoth_node.errors import BadConfig, CommandLineError, NotDone, PortInUse
from quoth_node.expiring import expire_values
from quoth_node.folder import NodeFolder
from quoth_node.http.app import make_runner
from quoth_node.http.services import HttpConfig, Services
from quoth_node.indexing.indexer import Indexer, open_indexer
from quoth_node.indexing.worker import start_process
from quoth_node.joining import JoinInfo, add_me, ask_to_join, known_as, remove_former
from quoth_node.patching import Patches
from quoth_node.querying.covered import Covering
from quoth_node.querying.live import LiveIndexes
from quoth_node.querying.scripts import Projecting
from quoth_node.rql import warm
from quoth_node.scripting import ScriptProcesses

JOURNAL_NAME = "journal"
STATE_NAME = "state"
SNAPSHOTS_NAME = "snapshots"
INDEXES_NAME = "indexes"
GROUP = "main"
READY_ROUND_SECONDS = 5.0
SHUTDOWN_SECONDS = 2.0
JOIN_SECONDS_MAX = 20.0
FIRST_JOIN_SECONDS_MAX = 5.0  # a wrong address is told soon
JOIN_AGAIN_SECONDS = 0.2
COLLECTION_THRESHOLDS = (20_000, 20, 20)

log = logging.getLogger(__name__)


class Removed(CommandLineError):
    """This node is not a member of its cluster any more."""


@dataclass(frozen=True, slots=True)
class Start:
    """What this start is: the cluster, whom to talk to first, and what is left to do."""

    cluster_id: str
    contacts: tuple[Contact, ...] = ()
    founds: bool = False
    join_url: str | None = None  # set if this node is no member yet


async def run_node(config: NodeConfig, folder: NodeFolder, ready: Callable[[str], None]) -> int:
    """Run one node until it is cancelled, or cannot go on.

    Calls `ready` with its URL once it is a member, a leader is known and it answers. Returns the
    exit code. Raises CommandLineError for what a person can mend, in one line.
    """
    try:
        async with AsyncExitStack() as stack:
            await _run(config, folder, ready, stack)
    except (BaseExceptionGroup, Fatal) as error:
        cause = _innermost(error)
        if isinstance(cause, Fatal):
            raise NotDone(f"node {config.tag} stops: {cause}") from error
        if isinstance(cause, CommandLineError):
            raise cause from None
        raise
    return 0


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _run(
    config: NodeConfig, folder: NodeFolder, ready: Callable[[str], None], stack: AsyncExitStack
) -> None:
    _allow_many_files()
    clock, chance = SystemClock(), SeededChance()
    snapshots = SnapshotStore(folder.path / SNAPSHOTS_NAME)
    interrupted = snapshots.open()
    if interrupted is not None:
        log.info("a snapshot was being installed: going on with it")
        replace_state(folder.path / STATE_NAME, snapshots.incoming)
    journal = Journal.open(
        folder.path / JOURNAL_NAME,
        segment_bytes=config.raft.log_segment_bytes,
        new_incarnation=chance.uuid().bytes,
    )
    stack.callback(journal.close)
    # It ends before the journal is closed: a sync may still be under way in it.
    disk = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="journal"))
    if interrupted is not None:
        adopt(journal, interrupted)
        snapshots.installed()
    machine = Machine.open(folder.path / STATE_NAME)
    stack.callback(machine.close)
    writer = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="apply"))
    start = await _plan(config, folder, journal, new_id=lambda: str(chance.uuid()))
    group = RaftGroup(
        Identity(start.cluster_id, GROUP, config.tag),
        journal,
        machine,
        timing=_timing(config),
        clock=clock,
        chance=chance,
        contacts=start.contacts,
        make_links=partial(Links, tls=config.tls),
        snapshots=snapshots,
        log_keep_slots=config.raft.log_keep_slots,
        log_keep_bytes=config.raft.log_keep_bytes,
        checkpoint_seconds=config.raft.checkpoint_ms / 1_000,
    )
    me = replace(await _listen(config, folder, group), incarnation=journal.incarnation)
    _check_addresses(group, me)
    services = await _services(config, folder, group, machine, me, stack)
    await _serve_http(config, services, stack)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(group.run(disk=disk, writer=writer), name="raft group")
        tasks.create_task(_watch_for_removal(group), name="removal")
        tasks.create_task(expire_values(group, machine, clock, sleep=asyncio.sleep), name="expiry")
        await _become_member(start, group, me, asks=config.asks_to_join)
        await group.until_promoted()
        await _until_current(group)
        _collect_less_often()
        log.info("node %s is ready at %s", config.tag, config.url)
        ready(config.url)
        await asyncio.get_running_loop().create_future()


async def _services(
    config: NodeConfig,
    folder: NodeFolder,
    group: RaftGroup,
    machine: Machine,
    me: Member,
    stack: AsyncExitStack,
) -> Services:
    """What the HTTP room is given; what of it works by itself is ended by `stack`."""
    clock, chance, tag = group.clock, SeededChance(), config.tag
    scripts = ScriptProcesses()
    stack.push_async_callback(scripts.close)
    background = await stack.enter_async_context(open_background())
    live = await open_indexes(folder, machine, group, stack)
    return Services(
        raft=group,
        machine=machine,
        patches=Patches(group, machine, scripts, clock=clock, chance=chance, node_tag=tag),
        clock=clock,
        chance=chance,
        node_tag=tag,
        server_id=str(chance.uuid()),
        peer_address=me.peer_address,
        operations=Operations(group),
        indexes=live,
        live=live,
        covering=Covering(group, machine, live, tag),
        background=background,
        projecting=Projecting(scripts, clock, chance, tag),
        config=HttpConfig(),
    )


async def open_indexes(
    folder: NodeFolder, machine: Machine, group: RaftGroup, stack: AsyncExitStack
) -> LiveIndexes:
    """The indexes of this node, with the process that builds them."""
    path = folder.path / INDEXES_NAME
    indexer = Indexer(path, machine, group.clock, partial(start_process, path))
    live = LiveIndexes(group, machine, indexer, group.clock)
    await stack.enter_async_context(open_indexer(indexer))
    return live


def _allow_many_files() -> None:
    """Databases, segments and connections each hold descriptors; take what the system grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _collect_less_often() -> None:
    """A request makes hundreds of objects and no rings of them; what is here now stays.

    With Python's own thresholds a tenth of a busy node's time goes into looking for rings.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)


async def _plan(
    config: NodeConfig, folder: NodeFolder, journal: Journal, *, new_id: Callable[[], str]
) -> Start:
    """Found, join, or go on: decided by what the folder and the journal remember."""
    record = folder.record
    join_url = config.join_url or record.join_url
    is_known = any(True for _ in journal.memberships())
    if record.cluster_id is not None and is_known:
        return Start(record.cluster_id, join_url=join_url)
    if is_known:
        raise BadConfig(f"{folder.path} holds a log, and node.json does not say of which cluster")
    if join_url is None:
        cluster_id = record.cluster_id or new_id()
        folder.save(replace(record, cluster_id=cluster_id))
        return Start(cluster_id, founds=True)
    # Who has asked before may be starting again at the same moment as the one it asks.
    patience = JOIN_SECONDS_MAX if record.cluster_id is not None else FIRST_JOIN_SECONDS_MAX
    info = await _ask_until_answered(join_url, seconds=patience)
    contacts = tuple(contact for contact in info.contacts if contact.tag != config.tag)
    if record.cluster_id not in (None, info.cluster_id):
        raise NotDone(f"{folder.path} belongs to another cluster than {join_url}")
    folder.save(replace(record, cluster_id=info.cluster_id, join_url=join_url))
    return Start(info.cluster_id, contacts=contacts, join_url=join_url)


async def _listen(config: NodeConfig, folder: NodeFolder, group: RaftGroup) -> Member:
    wanted = config.peer_port or folder.record.peer_port
    try:
        port = await group.links.listen(config.peer_host, wanted)
    except OSError as error:
        raise PortInUse(f"the peer port {wanted} cannot be used: {error.strerror}") from error
    if port != folder.record.peer_port:
        folder.save(replace(folder.record, peer_port=port))
    group.links.advertise(config.peer_address(port))
    return Member(config.tag, config.url, config.peer_address(port))


def _check_addresses(group: RaftGroup, me: Member) -> None:
    """A member is found where the log says it is."""
    known = group.members().get(me.tag)
    if known is not None and (known.url, known.peer_address) != (me.url, me.peer_address):
        raise BadConfig(
            f"the cluster knows node {me.tag} at {known.url} and {known.peer_address}, and it was "
            f"started at {me.url} and {me.peer_address}: start it where it was, or remove it and "
            "let it join again"
        )


async def _serve_http(config: NodeConfig, services: Services, stack: AsyncExitStack) -> None:
    await asyncio.to_thread(warm)  # else the first query waits for its parser
    runner = make_runner(services, shutdown_seconds=SHUTDOWN_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, config.http_host, config.http_port).start()
    except OSError as error:
        raise PortInUse(f"port {config.http_port} cannot be used: {error.strerror}") from error


async def _become_member(start: Start, group: RaftGroup, me: Member, *, asks: bool) -> None:
    if start.founds:
        await group.found(me)
        return
    if start.join_url is None or group.engine.is_member:
        if len(group.members()) == 1 and group.engine.is_member:
            await group.elect_now()  # alone: there is nobody to wait for
        return
    info = await _ask_until_answered(start.join_url, seconds=JOIN_SECONDS_MAX)
    known = known_as(info, me, known_cluster_id=start.cluster_id)
    if not asks:
        return
    if known is not None and known.incarnation == me.incarnation:
        return  # it was added before it was stopped
    if known is not None:
        log.info("node %s comes back without its data, as a new node", me.tag)
        await remove_former(start.join_url, me)
    await add_me(start.join_url, me)


async def _ask_until_answered(url: str, *, seconds: float) -> JoinInfo:
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await ask_to_join(url)
        except NotDone:
            if asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(JOIN_AGAIN_SECONDS)


async def _until_current(group: RaftGroup) -> None:
    """Return when this node is a member and knows all that the cluster has acknowledged."""
    while True:
        try:
            await group.current(timeout_seconds=READY_ROUND_SECONDS)
            return
        except NotReadable as error:
            log.info("not ready yet: %s", error)


async def _watch_for_removal(group: RaftGroup) -> None:
    """A node that was removed is told so by its peers, and has no more to do."""
    while True:
        await group.link_news(seconds=READY_ROUND_SECONDS)
        reason = group.removal()
        if reason is not None:
            raise Removed(reason)


def _timing(config: NodeConfig) -> Timing:
    raft = config.raft
    return Timing(
        heartbeat=raft.heartbeat_ms / 1_000,
        election_timeout_min=raft.election_timeout_ms_min / 1_000,
        election_timeout_max=raft.election_timeout_ms_max / 1_000,
    )
