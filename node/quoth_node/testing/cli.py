"""The command line of chaos: `quoth-chaos`, `python -m quoth_node.testing`, `scripts/chaos`.

What a program may read goes to stdout, the last line is a word and the path of the report;
everything else goes to stderr. Exit codes: see `outcome`.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from quoth_node.testing.bugs import BY_NAME
from quoth_node.testing.bugs.hunt import Hunted, hunt, playing, table
from quoth_node.testing.checkers.verdict import UNDECIDED, Violation
from quoth_node.testing.clock import RunClock
from quoth_node.testing.history import History, read
from quoth_node.testing.outcome import (
    BAD_ARGUMENTS,
    HELD,
    INTERRUPTED,
    TOO_LITTLE,
    VIOLATED,
    WORDS,
    Outcome,
)
from quoth_node.testing.plan import BadPlan, RunPlan
from quoth_node.testing.report import markdown
from quoth_node.testing.run import run
from quoth_node.testing.schedule import FAMILIES
from quoth_node.testing.timeline import svg
from quoth_node.testing.workloads.catalogue import CATALOGUE

SEED_MAX = 1_000_000
ALL, NONE = "all", "none"
REPORT, TIMELINE = "report.md", "timeline.svg"

app = typer.Typer(
    name="quoth-chaos",
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


Minutes = Annotated[float, typer.Option(help="How long under load and faults.")]
Seed = Annotated[int | None, typer.Option(help="Of all chance. Default: a new one, printed.")]
Names = Annotated[str, typer.Option(help=f"`all`, or some of: {', '.join(CATALOGUE)}.")]
Families = Annotated[
    str, typer.Option(help=f"`all` that this machine can, `none`, or {', '.join(FAMILIES)}.")
]
Nodes = Annotated[int, typer.Option(help="How many nodes.")]
NETWORK_HELP = (
    "What lies between nodes: `proxies` (no rights needed), `namespaces` (root), `none`, or "
    "`auto`, which takes the best there is."
)
NetworkName = Annotated[str, typer.Option(help=NETWORK_HELP)]
Output = Annotated[Path, typer.Option(metavar="DIR", help="Where histories and the report go.")]
Clients = Annotated[float, typer.Option(help="Times as many clients as the workloads ask for.")]
KillsMin = Annotated[int, typer.Option(help="Fewer processes killed than this prove nothing.")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Keep the folders of the nodes, and the databases.")
]
Bug = Annotated[str | None, typer.Option(hidden=True)]


def main() -> None:
    """Run the command line and exit."""
    app()


@app.callback(invoke_without_command=True)
def chaos(
    context: typer.Context,
    minutes: Minutes = 1.0,
    seed: Seed = None,
    workload: Names = ALL,
    faults: Families = ALL,
    nodes: Nodes = 3,
    network: NetworkName = "auto",
    output: Output = Path("chaos"),
    clients: Clients = 1.0,
    kills_min: KillsMin = 0,
    keep: Keep = False,
    bug: Bug = None,
) -> None:
    """Run a cluster of real processes, do it harm, and check what clients were told.

    Workloads read and write while nodes are killed, paused, cut off from each other, lose power,
    join and leave. Every answer goes into a history, and checkers look for what must never be: a
    stale read, a lost write, a number given twice.

    Examples:

        quoth-chaos --minutes 5

        quoth-chaos --seed 17 --minutes 1 --workload registers,bank --faults kill,cut

        quoth-chaos check chaos/history-0001.jsonl

    Exit codes: 0 all held, and enough was done to say so; 1 violated; 2 bad arguments, or nothing
    started; 3 too little was done to prove anything; 130 ended by Ctrl-C, which still checks and
    reports what there is.

    The last line on stdout is a word (`held`, `violated`, `too little`, `interrupted`) and the path
    of the report.
    """
    if context.invoked_subcommand is not None:
        return
    if seed is None:
        seed = Random().randrange(SEED_MAX)
    try:
        plan = RunPlan(
            seed=seed,
            minutes=minutes,
            workloads=_chosen(workload, tuple(CATALOGUE), "workload"),
            families=() if faults == NONE else _chosen(faults, FAMILIES, "family of faults"),
            nodes=nodes,
            network=network,
            output=output.absolute(),
            clients=clients,
            kills_min=kills_min,
            bug=bug,
            keep=keep,
            as_possible=faults == ALL,
        )
        output.mkdir(parents=True, exist_ok=True)
        for old in (*output.glob("history-*.jsonl"), output / REPORT, output / TIMELINE):
            old.unlink(missing_ok=True)
    except (BadPlan, OSError) as error:
        _refuse(str(error))
    print(f"seed {seed}", flush=True)
    try:
        outcome = run(plan, CATALOGUE, _teller())
    except BadPlan as error:
        _refuse(str(error))
    _conclude(outcome, plan.output)


@app.command()
def check(
    histories: Annotated[list[Path], typer.Argument(metavar="HISTORY...", help="JSON lines.")],
) -> None:
    """Check written histories again, each by itself.

    Examples:

        quoth-chaos check chaos/history-0001.jsonl

        quoth-chaos check chaos/*.jsonl

    Exit codes: 0 all held; 1 violated; 2 bad arguments; 3 a history without operations, or one that
    a checker gave up on.
    """
    codes: set[int] = set()
    for path in histories:
        try:
            with path.open() as file:
                history = read(file)
        except (OSError, ValueError) as error:
            _refuse(f"{path}: {error}")
        codes.add(_check(path, history))
    worst = next(code for code in (VIOLATED, TOO_LITTLE, HELD) if code in codes)
    print(WORDS[worst], flush=True)
    sys.exit(worst)


@app.command(hidden=True)
def bugs(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: every bug.")
    ] = None,
    minutes: Annotated[float, typer.Option(help="How long each run is under load.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Of all chance.")] = 1,
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Where histories go, a folder for each bug.")
    ] = Path("chaos-bugs"),
) -> None:
    """Plant bugs in the nodes, one after the other: each must be found, and nothing without it.

    A run that finds nothing proves as much as this finds. Prints a table.

    Examples:

        quoth-chaos bugs

        quoth-chaos bugs guard-not-checked identity-from-memory --seed 17

    Exit codes: 0 every bug was found, and the same runs without them held; 1 not so; 2 bad
    arguments.
    """
    unknown = [name for name in names or () if name not in BY_NAME]
    if unknown:
        _refuse(f"no planted bug is called {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    play = playing(run, CATALOGUE, _teller())
    told: list[Hunted] = []
    try:
        wanted = [BY_NAME[name] for name in names or BY_NAME]
        for one in hunt(wanted, play, seed=seed, minutes=minutes, output=output.absolute()):
            print(f"{one.bug.name}: {'found' if one.is_found else 'NOT FOUND'}", flush=True)
            told.append(one)
    except KeyboardInterrupt:
        print(table(told), flush=True)
        sys.exit(INTERRUPTED)
    except (BadPlan, OSError, RuntimeError, TimeoutError, ValueError) as error:
        _refuse(f"nothing was started: {error}")
    print(table(told), flush=True)
    sys.exit(HELD if all(one.is_found for one in told) else VIOLATED)


def _check(path: Path, history: History) -> int:
    """What a history is worth, as an exit code; a line for each workload and each violation."""
    found: list[Violation] = []
    for name in sorted({one.workload for one in history.operations}):
        if name not in CATALOGUE:
            _refuse(f"{path}: there is no workload {name}")
        operations = history.of(name)
        violations = CATALOGUE[name]().check(operations)
        print(f"{path.name} {name}: {len(operations)} operations, {len(violations)} violations")
        for violation in violations:
            print(f"  {violation}")
        found += violations
    if any(one.anomaly != UNDECIDED for one in found):
        return VIOLATED
    return TOO_LITTLE if found or not history.operations else HELD


def _chosen(words: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    if words == ALL:
        return known
    chosen = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    unknown = [word for word in chosen if word not in known]
    if unknown or not chosen:
        raise BadPlan(
            f"there is no {what} '{', '.join(unknown)}'; there are {', '.join(known)}, and all"
        )
    return chosen


def _teller() -> Callable[[str], None]:
    """Progress for a person: seconds of the run, and what happens."""
    console, clock = Console(stderr=True, highlight=False), RunClock()

    def tell(told: str) -> None:
        style = "red" if told.startswith("VIOLATED") else None
        seconds = f"{clock() / 1_000_000:7.1f} s  "
        console.print(seconds + told, style=style, markup=False, soft_wrap=True)

    return tell


def _conclude(outcome: Outcome, folder: Path) -> None:
    """Write the report, say where it is, and exit."""
    report = folder / REPORT
    (folder / TIMELINE).write_text(svg(outcome))
    report.write_text(markdown(outcome))
    for name, worked in outcome.workloads.items():
        counts = " ".join(f"{kind} {worked.tally[kind]}" for kind in ("ok", "failed", "unknown"))
        print(f"{name}: {counts}")
    print(f"{len(outcome.faults)} faults, {outcome.kills} kills")
    for found in outcome.violations:
        print(f"violation: {found.workload}, {found.history}: {found.violation}")
    print(f"{outcome.word} {report}", flush=True)
    sys.exit(outcome.exit_code)


def _refuse(told: str) -> NoReturn:
    print(f"quoth-chaos: {told}", file=sys.stderr, flush=True)
    sys.exit(BAD_ARGUMENTS)
