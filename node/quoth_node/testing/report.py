"""The report of a run, in Markdown: what ran, what was seen, and what it is worth."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from quoth_node.testing.failover import RECOVERY_SECONDS, Gap, percentile
from quoth_node.testing.history import Operation
from quoth_node.testing.outcome import LOGS, Found, Outcome, Worked, lacks, wrongs
from quoth_node.testing.power.replay import NOT_COVERED
from quoth_node.testing.tally import FAILED, MICROSECONDS, OK, UNKNOWN

EVIDENCE_MAX = 12  # operations of a violation; the history has them all
VIOLATIONS_MAX = 50
DEFECTS_MAX = 20

Row = Sequence[object]


def markdown(outcome: Outcome, *, timeline: str = "timeline.svg") -> str:
    """The whole report. `timeline` is where the drawing lies, seen from the report."""
    parts = [
        [f"# Run of quoth under faults: {outcome.word}", ""],
        _why(outcome),
        [f"![operations, faults and leaders over time]({timeline})", ""],
        _what_ran(outcome),
        _operations(outcome),
        _faults(outcome),
        _gaps(outcome),
        _leaders(outcome),
        _violations(outcome),
        _defects(outcome),
        _remarks(),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _why(outcome: Outcome) -> Iterator[str]:
    reasons = [*wrongs(outcome), *lacks(outcome)]
    if outcome.interrupted:
        reasons.append("ended by Ctrl-C before its time")
    if not reasons:
        yield "Every invariant held, and enough was done to say so."
    yield from (f"* {reason}" for reason in reasons[:VIOLATIONS_MAX])
    if len(reasons) > VIOLATIONS_MAX:
        yield f"* ... and {len(reasons) - VIOLATIONS_MAX} more"
    if any(wrongs(outcome)):
        yield from ("", f"What the nodes have logged is in `{LOGS}`, beside this report.")
    yield ""


def _what_ran(outcome: Outcome) -> Iterator[str]:
    about = outcome.about
    yield "## What ran"
    yield ""
    rows = [
        ("seed", about.get("seed", "?")),
        ("again", f"`{about.get('command', '?')}`"),
        ("nodes", about.get("nodes", "?")),
        ("faults asked for", ", ".join(outcome.families) or "none"),
        ("rounds", outcome.rounds),
        ("under load", f"{outcome.load_seconds:.0f} s of {outcome.end / MICROSECONDS:.0f} s"),
        *((name, about[name]) for name in ("quoth", "python", "system", "bug") if name in about),
    ]
    yield from table(("", ""), rows)


def _operations(outcome: Outcome) -> Iterator[str]:
    yield "## Operations"
    yield ""
    head = (
        *("workload", "goal", "ok", "failed", "unknown", "ok per second", "floor"),
        *("seconds", "writable seconds"),
    )
    yield from table(head, [_worked(worked) for worked in outcome.workloads.values()])


def _worked(worked: Worked) -> Row:
    tally = worked.tally
    speed = tally[OK] / worked.load_seconds if worked.load_seconds else 0.0
    return (
        *(worked.name, worked.goal, tally[OK], tally[FAILED], tally[UNKNOWN]),
        *(f"{speed:.1f}", worked.floor),
        *(f"{worked.load_seconds:.0f}", f"{worked.available_seconds:.0f}"),
    )


def _faults(outcome: Outcome) -> Iterator[str]:
    yield "## Faults"
    yield ""
    times = Counter(fault.fault for fault in outcome.faults)
    nodes = Counter({kind: 0 for kind in times})
    seconds = {kind: 0.0 for kind in times}
    for fault in outcome.faults:
        nodes[fault.fault] += len(fault.on)
        seconds[fault.fault] += ((fault.until or outcome.end) - fault.at) / MICROSECONDS
    rows = [(kind, n, nodes[kind], f"{seconds[kind]:.1f}") for kind, n in times.most_common()]
    yield from table(("fault", "times", "nodes", "seconds"), rows)
    yield f"Processes ended by faults: {outcome.kills}."
    yield ""
    for told, n in outcome.cannot.most_common():
        yield f"* not possible here, {n} times: {told}"
    for fault in outcome.faults:
        if NOT_COVERED in fault.told:
            yield f"* a power loss that proves less than it should: {fault.told}"
    if outcome.cannot or any(NOT_COVERED in fault.told for fault in outcome.faults):
        yield ""


def _gaps(outcome: Outcome) -> Iterator[str]:
    yield "## How long nobody could write"
    yield ""
    by_fault: dict[str, list[Gap]] = {
        fault: [] for fault in sorted({gap.after for gap in outcome.failovers})
    }
    for gap in outcome.failovers:
        by_fault[gap.after].append(gap)
    rows = [_gap(f"leader lost: {fault}", gaps) for fault, gaps in by_fault.items()]
    rows += [
        _gap("leader lost: all", outcome.failovers),
        _gap("majority healed", outcome.healings),
    ]
    yield from table(("after", "times", "p50 s", "p99 s", "max s", "without an end"), rows)
    known = [gap.seconds for gap in outcome.healings if gap.seconds is not None]
    slow = sum(seconds > RECOVERY_SECONDS for seconds in known)
    yield (
        f"Healings that took more than {RECOVERY_SECONDS:g} s (R11), the start of processes and "
        f"this machine's load included: {slow}."
    )
    yield ""


def _gap(name: str, gaps: Iterable[Gap]) -> Row:
    known = [gap.seconds for gap in gaps if gap.seconds is not None]
    endless = sum(gap.seconds is None for gap in gaps)
    if not known:
        return (name, 0, "-", "-", "-", endless)
    figures = (percentile(known, 0.5), percentile(known, 0.99), max(known))
    return (name, len(known), *(f"{figure:.2f}" for figure in figures), endless)


def _leaders(outcome: Outcome) -> Iterator[str]:
    terms = {led.term for led in outcome.leaders}
    yield "## Leaders"
    yield ""
    if terms:
        yield f"{len(terms)} terms had a leader that was seen, from {min(terms)} to {max(terms)}."
        yield ""
        led = Counter(led.leader for led in outcome.leaders)
        yield from table(("node", "terms it led"), sorted(led.items()))
    else:
        yield "None was seen."
        yield ""


def _violations(outcome: Outcome) -> Iterator[str]:
    yield "## Violations"
    yield ""
    if not outcome.violations:
        yield "None."
        yield ""
    for number, found in enumerate(outcome.violations[:VIOLATIONS_MAX], start=1):
        yield from _violation(number, found, str(outcome.about.get("command", "?")))
    if len(outcome.violations) > VIOLATIONS_MAX:
        yield f"... and {len(outcome.violations) - VIOLATIONS_MAX} more."
        yield ""


def _violation(number: int, found: Found, command: str) -> Iterator[str]:
    one = found.violation
    yield f"### {number}. {one.anomaly} on `{one.key}` ({found.workload}, round {found.round})"
    yield ""
    yield f"{one.told}"
    yield ""
    if one.evidence:
        yield from table(
            ("client", "f", "in", "out", "ok", "call s", "return s", "index", "node"),
            [_evidence(operation) for operation in one.evidence[:EVIDENCE_MAX]],
        )
        if len(one.evidence) > EVIDENCE_MAX:
            yield f"... and {len(one.evidence) - EVIDENCE_MAX} more operations."
            yield ""
    if found.history:
        yield f"Check it again: `quoth-chaos check {found.history}`. Provoke it again: `{command}`."
        yield ""


def _evidence(one: Operation) -> Row:
    ok = {True: "yes", False: "no", None: "unknown"}[one.ok]
    returned = "" if one.returned is None else f"{one.returned / MICROSECONDS:.3f}"
    call = f"{one.call / MICROSECONDS:.3f}"
    index = "" if one.index is None else one.index
    return (one.client, one.f, list(one.input), one.output, ok, call, returned, index, one.node)


def _defects(outcome: Outcome) -> Iterator[str]:
    if not (outcome.defects or outcome.deaths):
        return
    yield "## Defects, and processes that ended by themselves"
    yield ""
    for told in [*outcome.deaths, *outcome.defects][:DEFECTS_MAX]:
        yield from ("```text", told.strip(), "```", "")


def _remarks() -> Iterator[str]:
    yield "## How to read this"
    yield ""
    yield (
        "These are quoth's own tests on one machine, not somebody else's analysis. *Unknown* means "
        "that nobody told the client what became of its operation; the checkers let it have taken "
        "effect at any time, or never. A floor is of what clients did, without the last reads of a "
        "round, and is scaled by the seconds in which a majority could "
        f"talk, less {RECOVERY_SECONDS:g} s after each time it could not. A failover is the time "
        "from the loss of a leader to the first acknowledged write that was called after it. The "
        "seed gives the same faults in the same order again, and clients the same chances; what "
        "processes make of them in time differs from run to run."
    )
    yield ""


def table(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    """A table of Markdown, and an empty line."""
    yield f"| {' | '.join(str(cell) for cell in head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""


def _cell(cell: object) -> str:
    return str(cell).replace("|", "\\|").replace("\n", " ")[:200]
