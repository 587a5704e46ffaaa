"""What happened in a run: operations of clients, faults, leaders. One JSON object a line.

    {"client": 3, "key": "r/1", "f": "cas", "in": [41, 42], "out": null, "call": 1031,
     "return": 1080, "ok": true, "index": 17, "node": "A", "workload": "registers"}
    {"fault": "kill", "on": ["A"], "from": 2000, "to": 2900, "told": ""}
    {"leader": "B", "term": 7, "at": 3000}

Times are whole microseconds since the run began, all of one monotonic clock, the driver's. `ok` is
true: done, false: surely without effect, null: **unknown**, which may have taken effect at any time
after `call`, later than the whole history, or never; its `return` is null. An unknown outcome is
never taken for a failure.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

import orjson

VERSION = 1
ABSENT = -1  # what a register holds that is not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing a client asked for, and what it was told."""

    client: int  # does one operation after another
    key: str  # histories of different keys are checked apart where the checker allows it
    f: str  # what it asked for; each workload says which there are
    input: tuple[Any, ...] = ()
    output: Any = None
    call: int
    returned: int | None = None  # None: unknown
    ok: bool | None = None
    index: int | None = None  # of the log, where the node told it
    node: str = ""  # tag of the node that was asked; empty: the client chose
    workload: str = ""

    def __post_init__(self) -> None:
        assert (self.returned is None) == (self.ok is None), "unknown has no end"
        assert self.returned is None or self.returned >= self.call, "time goes forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What was done to the cluster, and when it was undone; None: not until the end."""

    fault: str  # kill, pause, cut, isolate, power-loss, ...
    on: tuple[str, ...]  # tags
    at: int
    until: int | None = None
    told: str = ""  # what else a person should know: torn writes, delays


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """A node that a majority followed, seen first at a time."""

    leader: str
    term: int
    at: int


@dataclass(slots=True)
class History:
    """A whole run. `about` says how it was made: seed, nodes, faults, versions."""

    about: dict[str, Any] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    leaders: list[Led] = field(default_factory=list)

    def of(self, workload: str) -> list[Operation]:
        """The operations of one workload, in the order of their calls."""
        found = [one for one in self.operations if one.workload == workload]
        return sorted(found, key=lambda one: (one.call, one.client))


def by_key(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    """The operations of each key, in the order in which they came."""
    parts: dict[str, list[Operation]] = {}
    for one in operations:
        parts.setdefault(one.key, []).append(one)
    return parts


def write(history: History, file: TextIO) -> None:
    """All of it, a line for each thing, the first with the version and `about`."""
    for line in _lines(history):
        file.write(orjson.dumps(line, option=orjson.OPT_NON_STR_KEYS).decode() + "\n")


def read(file: TextIO) -> History:
    """What `write` wrote. Raises ValueError, which names the line, for anything else."""
    history = History()
    for number, line in enumerate(file, start=1):
        try:
            told = orjson.loads(line)
            if number == 1:
                if told["quoth-history"] != VERSION:
                    raise ValueError(f"version {told['quoth-history']} is not known here")
                history.about = told["about"]
            else:
                _take(history, told)
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"line {number} is not one of a history: {error!r}") from error
    return history


def _lines(history: History) -> Iterator[dict[str, Any]]:
    yield {"quoth-history": VERSION, "about": history.about}
    for one in history.operations:
        yield {
            **{"client": one.client, "key": one.key, "f": one.f, "in": list(one.input)},
            **{"out": one.output, "call": one.call, "return": one.returned, "ok": one.ok},
            **{"index": one.index, "node": one.node, "workload": one.workload},
        }
    for fault in history.faults:
        yield {
            **{"fault": fault.fault, "on": list(fault.on), "from": fault.at},
            **{"to": fault.until, "told": fault.told},
        }
    for led in history.leaders:
        yield {"leader": led.leader, "term": led.term, "at": led.at}


def _take(history: History, told: dict[str, Any]) -> None:
    if "f" in told:
        history.operations.append(
            Operation(
                client=told["client"],
                key=told["key"],
                f=told["f"],
                input=tuple(told["in"]),
                output=told["out"],
                call=told["call"],
                returned=told["return"],
                ok=told["ok"],
                index=told.get("index"),
                node=told.get("node", ""),
                workload=told.get("workload", ""),
            )
        )
    elif "fault" in told:
        fault, on = told["fault"], tuple(told["on"])
        history.faults.append(
            Fault(fault=fault, on=on, at=told["from"], until=told["to"], told=told["told"])
        )
    else:
        history.leaders.append(Led(leader=told["leader"], term=told["term"], at=told["at"]))
