"""Runs the simulator: one seed step by step, many seeds, or every planted bug until it is found.

    scripts/simulate 4711 --trace
    scripts/simulate --seeds 0:2000 --nodes 3 --jobs 2
    scripts/simulate --bugs
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.simulator.bugs import BUGS, BY_NAME, Bug, found_by
from tests.simulator.world import Report, World

ROOT = Path(__file__).parents[1]
PROGRESS_SECONDS = 10.0
SEEDS_FOR_A_BUG = 200
VIOLATIONS_MAX = 20  # then the rest need not be run to see that something is wrong


def main() -> int:
    """Parse, run, and say what came of it; 1 if anything was violated."""
    options = _options()
    if options.bugs:
        return _hunt(options)
    if options.seed is not None:
        bug = BY_NAME[options.bug] if options.bug else None
        on_trace = print if options.trace else None
        takes = options.takes or None
        world = World(options.seed, size=options.nodes, bug=bug, takes=takes, on_trace=on_trace)
        return _conclude([world.run()], options, 0.0)
    began = time.perf_counter()
    first, _, last = options.seeds.partition(":")
    seeds = range(int(first), int(last))
    reports = []
    for report in _with_progress(_run_all(seeds, options), len(seeds), options):
        reports.append(report)
        if sum(known.violation is not None for known in reports) >= VIOLATIONS_MAX:
            print(f"{VIOLATIONS_MAX} violations: that is enough")
            break
    return _conclude(reports, options, time.perf_counter() - began)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="one seed to run")
    parser.add_argument("--trace", action="store_true", help="print all that happens in it")
    parser.add_argument("--seeds", default="0:100", metavar="FROM:TO", help="many seeds")
    parser.add_argument("--nodes", type=int, default=3, help="how many nodes a cluster has")
    parser.add_argument("--takes", action="store_true", help="numbers are taken in every seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--json", action="store_true", help="one JSON object a seed, to stdout")
    parser.add_argument("--bugs", action="store_true", help="run every planted bug until found")
    parser.add_argument("--bug", choices=sorted(BY_NAME), help="run with this bug planted")
    return parser.parse_args()


def _run_one(given: tuple[int, int, str | None, bool]) -> Report:
    seed, nodes, bug, takes = given
    return World(seed, size=nodes, bug=BY_NAME[bug] if bug else None, takes=takes or None).run()


def _run_all(seeds: Iterable[int], options: argparse.Namespace) -> Iterator[Report]:
    work = [(seed, options.nodes, options.bug, options.takes) for seed in seeds]
    if options.jobs == 1:
        yield from map(_run_one, work)
        return
    with ProcessPoolExecutor(options.jobs) as pool:
        yield from pool.map(_run_one, work, chunksize=4)


def _with_progress(
    reports: Iterable[Report], count: int, options: argparse.Namespace
) -> Iterator[Report]:
    began = told = time.perf_counter()
    for number, report in enumerate(reports, start=1):
        if report.violation is not None:
            _tell_violation(report, options)
        if options.json:
            print(json.dumps(asdict(report)), flush=True)
        now = time.perf_counter()
        if now - told > PROGRESS_SECONDS:
            told = now
            speed = number / (now - began)
            print(f"{number} of {count} seeds, {speed:.1f} a second", file=sys.stderr)
        yield report


def _tell_violation(report: Report, options: argparse.Namespace) -> None:
    bug = f" --bug {options.bug}" if options.bug else ""
    bug += " --takes" if options.takes else ""
    print(f"seed {report.seed}, {report.nodes} nodes, commit {_commit()}: {report.violation}")
    print(f"  replay: scripts/simulate {report.seed} --nodes {report.nodes}{bug} --trace")
    sys.stdout.flush()


def _conclude(reports: list[Report], options: argparse.Namespace, seconds: float) -> int:
    violated = [report for report in reports if report.violation is not None]
    if options.seed is not None and violated:
        _tell_violation(violated[0], options)
    if options.seed is not None and not options.json:
        print(reports[0])
        return 1 if violated else 0
    hours = sum(report.virtual_seconds for report in reports) / 3600
    figures = {
        "seeds": len(reports),
        "nodes": options.nodes,
        "commit": _commit(),
        "seeds_per_hour": round(len(reports) / max(seconds, 1e-9) * 3600),
        "virtual_hours": round(hours, 2),
        "acknowledged": sum(report.acknowledged for report in reports),
        "slots": sum(report.slots for report in reports),
        "terms": sum(report.terms for report in reports),
        "calm_seconds_max": round(max(report.calm_seconds for report in reports), 2),
        "violations": len(violated),
        "violated_seeds": [report.seed for report in violated],
    }
    print(json.dumps(figures) if options.json else _table(figures))
    return 1 if violated else 0


def _table(figures: dict[str, object]) -> str:
    return "\n".join(f"{name.replace('_', ' '):18} {value}" for name, value in figures.items())


def _hunt(options: argparse.Namespace) -> int:
    """Each planted bug, until a seed finds it; 1 if one is not found."""
    first = int(options.seeds.partition(":")[0])
    missed = 0
    print(f"{'planted bug':26} {'seeds':>5}  found by")
    for bug in [BY_NAME[options.bug]] if options.bug else BUGS:
        found = found_by(bug, _violation, range(first, first + SEEDS_FOR_A_BUG))
        if found is None:
            missed += 1
            print(f"{bug.name:26} {'-':>5}  not found: {bug.story}", flush=True)
        else:
            print(f"{bug.name:26} {found.count:5}  {found.violation[:90]}", flush=True)
    print(f"{len(BUGS)} planted, {missed} not found")
    return 1 if missed else 0


def _violation(seed: int, bug: Bug) -> str | None:
    return World(seed, size=bug.nodes, bug=bug).run().violation


def _commit() -> str:
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
