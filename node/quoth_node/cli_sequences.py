"""`quoth sequence`: which there are, and the proof that one has no gap and no duplicate."""

import asyncio
import json
import sys
from typing import Annotated

import typer

from quoth_cluster.clock import Clock, SystemClock
from quoth_node.config import check_url
from quoth_node.errors import NotDone
from quoth_node.proving.asking import asking
from quoth_node.proving.sequences import Held, Looked, Proof, Told, Wrong

PROGRESS_SECONDS = 2.0
URL_DEFAULT = "http://127.0.0.1:8080"

sequence = typer.Typer(help="Gapless sequences: list them, prove them.", no_args_is_help=True)
Url = Annotated[str, typer.Option(help="Any node of the cluster.")]
Database = Annotated[str, typer.Option(help="The database.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, a line each, for programs.")]


@sequence.command("list")
def list_sequences(database: Database, url: Url = URL_DEFAULT, as_json: Json = False) -> None:
    """List the sequences of a database.

    Example:

        quoth sequence list --database shop
    """
    check_url(url)
    asyncio.run(_list(url, database, as_json=as_json))


async def _list(url: str, database: str, *, as_json: bool) -> None:
    async with asking(url, database) as door:
        if not as_json:
            print("name\tlast value\ttaken\treserved\tvoid\tinitial value\treset value")
        async for one in door.sequences():
            if as_json:
                print(json.dumps(one))
                continue
            fields = (
                *("Name", "LastValue", "Taken", "Reserved", "Void", "InitialValue", "ResetValue"),
            )
            told = ["-" if one[name] is None else printable(str(one[name])) for name in fields]
            print("\t".join(told))


@sequence.command("verify")
def verify(
    name: Annotated[str, typer.Argument(help="The sequence.")],
    database: Database,
    url: Url = URL_DEFAULT,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Do not write who holds each number.")
    ] = False,
    allow_reserved: Annotated[
        bool, typer.Option("--allow-reserved", help="Take open reservations for proven, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prove that a sequence has no gap and no duplicate, from the state and the documents.

    Writes who holds each number, a line each: the number, what has it, and where. Ends with 0 only
    if every number from the first to the last has one holder in which it stands, or is void with a
    reason, and no other document of these collections holds one. It is read page by page, and may
    be used while more numbers are taken: those are left for the next time.

    Examples:

        quoth sequence verify invoices --database shop

        quoth sequence verify invoices --database shop --quiet --url http://127.0.0.1:8081
    """
    check_url(url)
    asyncio.run(_verify(url, database, name, quiet, allow_reserved, as_json))


async def _verify(
    url: str, database: str, name: str, quiet: bool, allow_reserved: bool, as_json: bool
) -> None:
    write = _write_json if as_json else _write_line
    async with asking(url, database) as door:
        proof = Proof(door, name)
        progress = _Progress(SystemClock())
        async for told in proof.tell():
            if isinstance(told, Looked):
                progress.tell(told)
            elif isinstance(told, Wrong) or not quiet:
                write(told)
    reserved = proof.counts.get("Reserved", 0)
    open_ones = 0 if allow_reserved else reserved
    summary = _summary(proof)
    for note in proof.notes:
        print(f"note: {note}", file=sys.stderr)
    if proof.wrong or open_ones:
        why = f"{proof.wrong} wrong" if proof.wrong else f"{open_ones} numbers are still reserved"
        raise NotDone(f"the sequence '{name}' is not proven: {why}; {summary}")
    print(f"the sequence '{name}' is proven: {summary}", file=sys.stderr)


def _summary(proof: Proof) -> str:
    if proof.first is None:
        return "no number is taken"
    names = {
        "Document": "in documents",
        "Outside": "outside",
        "Reserved": "reserved",
        "Void": "void",
    }
    parts = [f"{count} {names[state]}" for state, count in sorted(proof.counts.items())]
    return f"{proof.total} numbers, {proof.first} to {proof.last}: {', '.join(parts)}"


def _write_line(told: Told) -> None:
    if isinstance(told, Held):
        where = f"\t{printable(told.path)}" if told.path else ""
        print(f"{told.number}\t{told.state.lower()}\t{printable(told.holder)}{where}")
    elif isinstance(told, Wrong):
        print(f"wrong\t{printable(told.what)}")


def printable(text: str) -> str:
    """A text that stays in its column: others have chosen it, and it may hold line ends."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def _write_json(told: Told) -> None:
    if isinstance(told, Held):
        line = {"Number": told.number, "State": told.state, "Holder": told.holder}
        print(json.dumps({**line, "Path": told.path}))
    elif isinstance(told, Wrong):
        print(json.dumps({"Wrong": told.what}))


class _Progress:
    """A line to stderr now and then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_at = clock.monotonic()

    def tell(self, looked: Looked) -> None:
        now = self._clock.monotonic()
        if now - self._told_at < PROGRESS_SECONDS:
            return
        self._told_at = now
        of = f" of {looked.of}" if looked.of is not None else ""
        print(f"{looked.done}{of} {looked.what}", file=sys.stderr)
