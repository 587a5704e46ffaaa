"""One TCP connection between two nodes, as it passes through a proxy.

    node a  --near-->  proxy  --far-->  node b        forward: on the road from a to b
            <--------         <-------                backward: on the road from b to a

A road is one direction between two nodes. Its weather decides what becomes of bytes:

* **cut**: they are read and dropped, and so is the end of a connection: neither side is told. A
  connection that is opened while one of its roads is cut gets nowhere. TCP has no holes, so a
  stream that has lost a byte delivers nothing after it, and its connection is reset when healed;
  one that has lost nothing goes on, as after a short cut of a cable.
* **stalled**: they are held back, as by a receiver that does not read, and delivered when healed.
* **delay**: each piece is due later by the delay and up to the jitter more or less, never before
  the piece in front of it.
* **loss**: TCP repairs what is lost, so what a receiver sees is time. A piece of n segments of
  which one is lost waits for a retransmission, 200 ms and each time twice as long, and all behind
  it waits with it. After 8 of them the sender gives up: the connection is reset.

Nothing is ever reordered, invented or given twice. All of this runs on one event loop.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random

SEGMENT_BYTES = 1_448  # what a packet of Ethernet carries of a stream
RETRANSMISSION_SECONDS = 0.2  # Linux: TCP_RTO_MIN
RETRANSMISSIONS_MAX = 8
HELD_BYTES_MAX = 4 * 1_024 * 1_024  # a stream that holds more does not read on


class Sign(Enum):
    """What a stream carries besides bytes, in its place among them."""

    END = "nothing comes after this"
    LOST = "the sender's connection is gone"
    GIVES_UP = "the sender has retransmitted often enough"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What a road does to what is sent on it."""

    is_cut: bool = False
    is_stalled: bool = False
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss: float = 0.0  # of one segment: 0 to 1

    def wait_seconds(self, chance: Random) -> float:
        """How long a piece is under way, if nothing is lost."""
        if not self.jitter_seconds:
            return self.delay_seconds
        off = chance.uniform(-self.jitter_seconds, self.jitter_seconds)
        return max(0.0, self.delay_seconds + off)

    def retransmissions(self, size_bytes: int, chance: Random) -> int:
        """How often a piece is sent again; over RETRANSMISSIONS_MAX: never arrives."""
        if not self.loss:
            return 0
        segments = -(-size_bytes // SEGMENT_BYTES)
        some_lost = 1.0 - (1.0 - self.loss) ** segments
        again = 0
        while again <= RETRANSMISSIONS_MAX and chance.random() < some_lost:
            again += 1
            some_lost = self.loss  # only what was lost is sent again
        return again


CLEAR = Weather()


class Road:
    """One direction between two nodes."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.weather = CLEAR
        self.relays: set[Relay] = set()

    def change(self, weather: Weather) -> None:
        """Let the weather be so from now on."""
        self.weather = weather
        for relay in list(self.relays):
            relay.weather_changed()


class Stream:
    """The bytes of a connection in one direction."""

    def __init__(self, road: Road, relay: "Relay") -> None:
        self.has_hole = False  # then nothing is delivered any more
        self.source: asyncio.Transport | None = None
        self.target: asyncio.Transport | None = None
        self.target_is_full = False
        self._road = road
        self._relay = relay
        self._loop = asyncio.get_running_loop()
        self._held: deque[tuple[float, bytes | Sign]] = deque()  # when due; none before the first
        self._held_bytes = 0
        self._alarm: asyncio.TimerHandle | None = None

    def push(self, piece: bytes | Sign) -> None:
        """Take what the source sent."""
        weather, chance = self._road.weather, self._road.chance
        if weather.is_cut or self.has_hole:
            self.has_hole = True
            return
        wait = weather.wait_seconds(chance)
        again = weather.retransmissions(len(piece) if isinstance(piece, bytes) else 1, chance)
        wait += RETRANSMISSION_SECONDS * (2**again - 1)
        due = self._loop.time() + wait
        if again > RETRANSMISSIONS_MAX:
            self._held.append((due, Sign.GIVES_UP))
        self._held.append((due, piece))
        if isinstance(piece, bytes):
            self._held_bytes += len(piece)
        self.deliver()

    def deliver(self) -> None:
        """Pass on all that is due, if the road and the target let it."""
        now = self._loop.time()
        while self._held and self._may_pass() and self._held[0][0] <= now:
            self._pass_on(self._held.popleft()[1])
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._held and self._may_pass():
            self._alarm = self._loop.call_at(self._held[0][0], self.deliver)
        self._read_or_wait()

    def weather_changed(self) -> None:
        """See what becomes of what is under way."""
        weather = self._road.weather
        if weather.is_cut and self._held:
            self.has_hole = True
            self._forget()
        if weather == CLEAR:
            now = self._loop.time()
            self._held = deque((now, piece) for _, piece in self._held if piece != Sign.GIVES_UP)
        self.deliver()

    def close(self) -> None:
        """Deliver nothing more."""
        self._forget()
        if self._alarm is not None:
            self._alarm.cancel()

    def _may_pass(self) -> bool:
        target = self.target
        is_open = target is not None and not target.is_closing() and not self.target_is_full
        return is_open and not self.has_hole and not self._road.weather.is_stalled

    def _pass_on(self, piece: bytes | Sign) -> None:
        assert self.target is not None, "asked before"
        if isinstance(piece, bytes):
            self._held_bytes -= len(piece)
            self.target.write(piece)
        elif piece is Sign.END:
            self._relay.ended(self)
        else:
            self._relay.abort()

    def _read_or_wait(self) -> None:
        if self.source is None or self.source.is_closing():
            return
        if self._held_bytes > HELD_BYTES_MAX:
            self.source.pause_reading()
        else:
            self.source.resume_reading()

    def _forget(self) -> None:
        self._held.clear()
        self._held_bytes = 0


class Relay:
    """A connection that node a has opened to node b."""

    def __init__(self, forward: Road, backward: Road, dial: Callable[["Relay"], None]) -> None:
        """`dial` is called once, when a connection to b is to be made; its end calls `reached`."""
        self.forward = Stream(forward, self)
        self.backward = Stream(backward, self)
        self._roads = (forward, backward)
        self._dial: Callable[[Relay], None] | None = dial
        self._ended = 0  # of the two streams
        self._is_over = False
        for road in self._roads:
            road.relays.add(self)

    def begin(self) -> None:
        """The near end is there: go on to the far one, if both roads let a handshake through."""
        if any(road.weather.is_cut for road in self._roads) and self._dial is not None:
            self.forward.has_hole = True
        if self.forward.has_hole or any(road.weather.is_stalled for road in self._roads):
            return
        if self._dial is not None and not self._is_over:
            dial, self._dial = self._dial, None
            dial(self)

    def reached(self) -> None:
        """The far end is there."""
        if self._is_over and self.forward.target is not None:
            _reset(self.forward.target)  # the near one has gone meanwhile
        self.forward.deliver()

    def weather_changed(self) -> None:
        """A road of it has changed."""
        is_cut = any(road.weather.is_cut for road in self._roads)
        if not is_cut and (self.forward.has_hole or self.backward.has_hole):
            self.abort()
            return
        self.forward.weather_changed()
        self.backward.weather_changed()
        self.begin()

    def ended(self, stream: Stream) -> None:
        """All of a stream has passed."""
        self._ended += 1
        target = stream.target
        if target is not None and not target.is_closing() and target.can_write_eof():
            target.write_eof()
        if self._ended == 2:
            self._finish(lambda end: end.close())

    def abort(self) -> None:
        """Reset both ends."""
        self._finish(_reset)

    def _finish(self, let_go: Callable[[asyncio.Transport], None]) -> None:
        if self._is_over:
            return
        self._is_over = True
        for road in self._roads:
            road.relays.discard(self)
        for stream in (self.forward, self.backward):
            if stream.source is not None:
                let_go(stream.source)
            stream.close()


class End(asyncio.Protocol):
    """One end of a connection: what comes in goes into one stream, out of the other."""

    def __init__(self, comes_in: Stream, goes_out: Stream, made: Callable[[], None]) -> None:
        self._comes_in = comes_in
        self._goes_out = goes_out
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport), "TCP"
        self._comes_in.source = self._goes_out.target = transport
        self._made()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._comes_in.push(data)

    def eof_received(self) -> bool:
        """The other direction goes on."""
        self._comes_in.push(Sign.END)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Nothing can be written any more; the other end hears of it, in its turn."""
        self._comes_in.push(Sign.LOST)

    def pause_writing(self) -> None:
        """The node does not read as fast as it is sent to."""
        self._goes_out.target_is_full = True

    def resume_writing(self) -> None:
        """It does again."""
        self._goes_out.target_is_full = False
        self._goes_out.deliver()


def _reset(transport: asyncio.Transport) -> None:
    """End a connection with RST: what waits to leave is thrown away."""
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
