"""What nodes ask each other beside raft's own messages, and who answers.

term         the newest term this node knows            (a leader confirms that it leads)
read_index   the commit index, after a quorum round     (a follower reads what is current)
applied      answers when a slot is applied here        (a save waits for replicas)
membership   carries a change to the leader
snapshot     one step of a snapshot on its way            (`snapshot.py`)
topic        bytes that the house above asks and answers; nothing here knows what they mean
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from quoth_cluster.errors import (
    ClusterError,
    Fatal,
    MalformedValue,
    MembershipRefused,
    NewerFormat,
    NoAnswer,
    NotAsked,
    NotProposed,
    TooLarge,
)
from quoth_cluster.raft.applier import Applier
from quoth_cluster.raft.calls import Calls
from quoth_cluster.raft.entry import COMMAND_BYTES_MAX, MEMBERSHIP, unpack_membership
from quoth_cluster.raft.inside import Inside
from quoth_cluster.raft.read_index import count_yes
from quoth_cluster.raft.reconfiguration import Reconfiguration
from quoth_cluster.raft.snapshot import Snapshots

ANSWERING_MAX = 10_000  # questions of raft being answered at once; more are not heard
TOPICS_MAX = 1_000  # ... and of the house above, so that these cannot keep raft from being heard
WAIT_SECONDS_MAX = 600.0
ASK_SECONDS_MAX = 1.0
RETRY_SECONDS = 0.1

log = logging.getLogger(__name__)
Body = dict[str, Any]


class Questions:
    """Answers peers, and asks them for replicas. Its tasks live as long as `run`."""

    def __init__(
        self,
        group: Inside,
        calls: Calls,
        applier: Applier,
        reconfiguration: Reconfiguration,
        snapshots: Snapshots,
    ) -> None:
        self._group = group
        self._calls = calls
        self._applier = applier
        self._reconfiguration = reconfiguration
        self._snapshots = snapshots
        self._topics: dict[str, Callable[[bytes], Awaitable[bytes]]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._answering = {True: 0, False: 0}  # on topics, and of raft's own

    async def run(self) -> None:
        """Own the answers under way until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None  # what is asked while it stops is not answered

    def on_ask(self, tag: str, message: Body) -> None:
        """Answer now if the answer is known, else when it is."""
        number = message.get("number")
        if not isinstance(number, int):
            return
        question = message.get("question")
        if question == "term":
            self._calls.answer(tag, number, {"term": self._group.engine.term})
            return
        answers = {
            "read_index": self._read_index,
            "applied": self._applied,
            "membership": self._membership,
            "snapshot": self._snapshots.on_message,
            "topic": self._topic,
        }
        answer = answers.get(str(question))
        on_topic = question == "topic"
        is_full = self._answering[on_topic] >= (TOPICS_MAX if on_topic else ANSWERING_MAX)
        if answer is None or self._tasks is None or is_full:
            log.warning("node %s asks %r, which is not answered", tag, question)
            return
        self._answering[on_topic] += 1
        self._tasks.create_task(self._reply(tag, number, answer(message), on_topic=on_topic))

    def answer(self, topic: str, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        """See `RaftLog.answer`."""
        assert topic not in self._topics, f"{topic} is answered once"
        self._topics[topic] = answer

    async def ask(self, tag: str, topic: str, body: bytes, *, seconds: float) -> bytes:
        """See `RaftLog.ask`."""
        if len(body) > COMMAND_BYTES_MAX:
            raise TooLarge(f"a question of {len(body)} bytes; {COMMAND_BYTES_MAX} are allowed")
        question = {"topic": topic, "body": body}
        if tag == self._group.identity.tag:
            try:
                async with asyncio.timeout(seconds):
                    answer = await self._topic(question)
            except TimeoutError as error:
                raise NoAnswer(f"not answered here in {seconds:g} s") from error
        else:
            answer = await self._calls.ask(tag, "topic", question, timeout_seconds=seconds)
        if isinstance(answer.get("body"), bytes):
            return bytes(answer["body"])
        if answer.get("is_known") is False:
            raise NotAsked(f"node {tag} answers no questions on {topic}")
        raise NoAnswer(f"node {tag} could not answer: {answer.get('failed')}")

    async def count_replicas(self, log_index: int, count: int, *, seconds: float) -> int:
        """How many other members have applied `log_index`; returns early at `count`."""
        others = sorted(set(self._group.members()) - {self._group.identity.tag})
        asked = (self._has_applied(tag, log_index, seconds) for tag in others)
        return await count_yes(asked, enough=count)

    async def _has_applied(self, tag: str, log_index: int, seconds: float) -> bool:
        clock = self._group.clock
        deadline = clock.monotonic() + seconds
        while (left := deadline - clock.monotonic()) > 0:
            # An answer may be lost with its link, so a long wait is many short questions.
            wait = min(left, ASK_SECONDS_MAX)
            body = {"log_index": log_index, "seconds": wait}
            try:
                answer = await self._calls.ask(tag, "applied", body, timeout_seconds=wait)
                if answer.get("applied") is True and self._group.counts(tag):
                    return True
            except NotAsked:
                await self._group.link_news(seconds=min(left, RETRY_SECONDS))
            except NoAnswer:
                continue
        return False

    async def _reply(
        self, tag: str, number: int, answer: Awaitable[Body], *, on_topic: bool
    ) -> None:
        try:
            self._calls.answer(tag, number, await answer)
        finally:
            self._answering[on_topic] -= 1

    async def _topic(self, message: Body) -> Body:
        topic, body = message.get("topic"), message.get("body")
        answer = self._topics.get(str(topic))
        if answer is None or not isinstance(body, bytes):
            return {"is_known": False}
        try:
            answered = await answer(body)
        except Fatal as error:
            if not isinstance(error, MalformedValue | NewerFormat):  # of the question, most likely
                assert self._tasks is not None, "asked while the group runs"
                self._tasks.create_task(self._stop(error))
            return {"failed": str(error)}
        except Exception as error:
            # The asker is told, and this node goes on: it is not the log that failed.
            log.exception("a question on %s was not answered", topic)
            return {"failed": f"{type(error).__name__}: {error}"}
        if len(answered) > COMMAND_BYTES_MAX:
            return {"failed": f"an answer of {len(answered)} bytes"}
        return {"body": answered}

    @staticmethod
    async def _stop(error: Fatal) -> None:
        """End the node by what an answer met."""
        raise error

    async def _read_index(self, _: Body) -> Body:
        return {"log_index": await self._group.confirm_leadership()}

    async def _applied(self, message: Body) -> Body:
        log_index, wait = message.get("log_index"), _wait_of(message)
        if not isinstance(log_index, int) or wait is None:
            return {"applied": False}
        return {"applied": await self._applier.applied.reached_within(log_index, seconds=wait)}

    async def _membership(self, message: Body) -> Body:
        content, wait = message.get("content"), _wait_of(message)
        if not isinstance(content, bytes) or not content or content[0] != MEMBERSHIP:
            return {"refused": "the change is malformed"}
        if wait is None:
            return {"refused": "how long to wait is malformed"}
        try:
            change = unpack_membership(content)
            await self._reconfiguration.change_here(change, timeout_seconds=wait)
        except (MembershipRefused, MalformedValue) as error:
            return {"refused": str(error)}
        except NotProposed as error:
            return {"not_proposed": str(error)}
        except ClusterError as error:
            return {"unknown": str(error)}
        return {"done": True}


def _wait_of(message: Body) -> float | None:
    """Seconds that a peer waits for its answer, as far as it is waited here; None if malformed."""
    seconds = message.get("seconds")
    if not isinstance(seconds, int | float) or seconds != seconds:  # or not a number
        return None
    return float(min(seconds, WAIT_SECONDS_MAX))
