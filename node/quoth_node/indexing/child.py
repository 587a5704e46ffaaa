"""The process that builds all indexes of its node; talks with it on the socket that is its stdin.

It reads the state the node writes, from snapshots, and nothing else of the node. It ends when it is
told to, or when the node is gone; killed at any moment, it leaves index files that are right.
"""

import logging
import os
import select
import sys
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, fromfd, socket
from typing import Protocol

from quoth_cluster.clock import Clock, SystemClock
from quoth_cluster.store.environment import Environment
from quoth_node.indexing.builder import Builder
from quoth_node.indexing.messages import (
    Command,
    Frames,
    Report,
    Source,
    Works,
    command_in,
    framed,
)
from quoth_node.indexing.work import Readable
from quoth_node.lifeline import die_with

ROUND_SECONDS = 0.01  # between two rounds, unless somebody waits: many small changes in one batch
NICENESS = 5  # the node answers first
RECEIVED_BYTES = 65_536
STDIN, STDERR = 0, 2

log = logging.getLogger(__name__)


class NodeGone(Exception):
    """Nobody is at the other end."""


class Opens(Protocol):
    """How a database is opened for reading."""

    def __call__(self, source: Source) -> Readable:
        """Raises Closed if it is not there."""


class Link:
    """The indexer's end of the socket."""

    def __init__(self, end: socket) -> None:
        self._end = end
        self._frames = Frames()
        self._outgoing = bytearray()

    def take(self, seconds: float | None) -> list[Command]:
        """What has come in; waits for something, for so long at most, or with None for ever.

        Raises NodeGone.
        """
        ready, _, _ = select.select([self._end], [], [], seconds)
        if not ready:
            return []
        try:
            data = self._end.recv(RECEIVED_BYTES)
        except ConnectionError as error:
            raise NodeGone from error
        if not data:
            raise NodeGone
        return [command_in(body) for body in self._frames.feed(data)]

    def tell(self, report: Report) -> None:
        """Send a report with the next flush; at once what must be known if this process dies."""
        self._outgoing += framed(report)
        if isinstance(report, Works) and report.digest:
            self.flush()

    def flush(self) -> None:
        """Send what was told. Raises NodeGone."""
        outgoing, self._outgoing = self._outgoing, bytearray()
        try:
            self._end.sendall(outgoing)
        except ConnectionError as error:
            raise NodeGone from error


class Serving:
    """One life of an indexer."""

    def __init__(self, end: socket, folder: Path, clock: Clock, *, open_source: Opens) -> None:
        self._link = Link(end)
        self._clock = clock
        self._builder = Builder(
            folder, clock, tell=self._link.tell, hear=self._hear, open_source=open_source
        )

    def run(self) -> None:
        """Build until told to stop, or the node is gone."""
        builder, is_more = self._builder, False
        try:
            while not builder.stops:
                self._take(0 if is_more or builder.has_work else None)
                is_more = builder.round()
                self._link.flush()
                if not is_more:
                    self._rest()
                builder.sweep()
        except NodeGone:
            log.info("the node is gone")
        finally:
            builder.close()

    def _rest(self) -> None:
        """Let changes come together, unless somebody waits for them."""
        ends = self._clock.monotonic() + ROUND_SECONDS
        while not self._builder.is_urged and (left := ends - self._clock.monotonic()) > 0:
            self._take(left)
        self._builder.hurries = False

    def _hear(self) -> None:
        self._take(0)

    def _take(self, seconds: float | None) -> None:
        for command in self._link.take(seconds):
            self._builder.take(command)


def open_environment(source: Source) -> Readable:
    """The environment that the node writes."""
    return Environment.open_reader(Path(source.path), map_bytes=source.map_bytes)


def main() -> None:
    """`python -m quoth_node.indexing.child PID FOLDER`: build for the node that started it."""
    die_with(int(sys.argv[1]))
    # What LMDB has open in the node comes along, and would keep deleted files on the disk.
    os.closerange(STDERR + 1, os.sysconf("SC_OPEN_MAX"))
    os.nice(NICENESS)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    end = fromfd(STDIN, AF_UNIX, SOCK_STREAM)
    Serving(end, Path(sys.argv[2]), SystemClock(), open_source=open_environment).run()


if __name__ == "__main__":
    main()
