"""`manage.py quoth_sequences`: which sequences there are, the proof, and what to do about it.

manage.py quoth_sequences list
manage.py quoth_sequences voided invoices
manage.py quoth_sequences verify invoices --field shop.Invoice.number --filter year=2024
manage.py quoth_sequences recover
manage.py quoth_sequences move invoices --initial-value 1000
"""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import FieldError, ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.utils.connection import ConnectionDoesNotExist

from quoth.contrib.django.auditing import Audit, compare, field_values, read_journal
from quoth.contrib.django.confirming import NOT_YET, recover
from quoth.contrib.django.moving import CannotMove, move
from quoth.contrib.django.stores import settings_for, stores
from quoth.errors import QuothError
from quoth.sequences import HeldNumbers, NumberState, SequenceInfo
from quoth.synchronous.sequences import Sequences

EXPECTED = (QuothError, ConnectionDoesNotExist, ImproperlyConfigured, CannotMove, Error)


class Command(BaseCommand):
    """See `help`."""

    help = "Gapless sequences in quoth: list them, prove them, mend them, carry them over."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)

        def action(name: str, help: str) -> Any:
            found = actions.add_parser(name, help=help)
            found.add_argument(
                "--database", default=DEFAULT_DB_ALIAS, help="Alias of a database of Django."
            )
            return found

        action("list", "All sequences.")
        voided = action("voided", "Numbers that nobody has, with the reasons.")
        voided.add_argument("name", help="The sequence.")
        verify = action("verify", "Prove that a sequence has no gap and no duplicate.")
        verify.add_argument("name", help="The sequence.")
        verify.add_argument("--field", help="Where the numbers are: app.Model.field.")
        verify.add_argument("--filter", action="append", default=[], metavar="NAME=VALUE",
                            help="Only these rows, as for QuerySet.filter.")  # fmt: skip
        verify.add_argument("--allow-reserved", action="store_true",
                            help="Take open reservations for proven, too.")  # fmt: skip
        action("recover", "Confirm the numbers of committed rows that quoth has not heard of.")
        moving = action("move", "Go on from the sequences of django-sequences; stop others first.")
        moving.add_argument("name", nargs="*", help="Sequences; all if none is named.")
        moving.add_argument("--initial-value", type=int, default=1, help="Where they began.")
        moving.add_argument("--reset-value", type=int, help="Where they begin anew.")

    def handle(self, *arguments: Any, **options: Any) -> None:
        actions: dict[str, Callable[[dict[str, Any]], None]] = {
            "list": self._list,
            "voided": self._voided,
            "verify": self._verify,
            "recover": self._recover,
            "move": self._move,
        }
        try:
            connections[options["database"]]  # there is such a database
            actions[options["action"]](options)
        except EXPECTED as error:
            raise CommandError(str(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        self.stdout.write("name\tlast value\ttaken\treserved\tvoid\tinitial value\treset value")
        for each in _sequences(options).list():
            fields = (each.last_value, each.taken, each.reserved, each.void)
            ends = (each.initial_value, each.reset_value)
            told = ("-" if value is None else str(value) for value in (*fields, *ends))
            self.stdout.write("\t".join((each.name, *told)))

    def _voided(self, options: dict[str, Any]) -> None:
        for row in _sequences(options).voided(options["name"]):
            last = f"-{row.number + row.count - 1}" if row.count > 1 else ""
            self.stdout.write(f"{row.number}{last}\t{row.at.isoformat()}\t{row.reason}")

    def _verify(self, options: dict[str, Any]) -> None:
        name, sequences = options["name"], _sequences(options)
        info = sequences.get(name)
        if info is None:
            raise CommandError(f"there is no sequence {name!r}")
        if options["field"] and info.reset_value is not None:
            raise CommandError(f"the sequence {name!r} begins anew at {info.reset_value}, so rows"
                               " cannot be told by their numbers: leave out --field")  # fmt: skip
        audit = read_journal(sequences.holders(name), lambda row: _numbers_of(row, info))
        if audit.taken < info.taken:
            audit.wrong.append(f"the journal ends after {audit.taken} of {info.taken} numbers")
        if options["field"]:
            self._compare(audit, options, sequences)
        for wrong in audit.wrong:
            self.stdout.write(f"wrong\t{wrong}")
        reserved = 0 if options["allow_reserved"] else audit.counts[NumberState.RESERVED]
        if audit.wrong or reserved:
            many = len(audit.wrong)
            why = f"{many} wrong" if many else f"{reserved} numbers are still reserved"
            raise CommandError(f"the sequence {name!r} is not proven: {why}; {audit.summary()}")
        self.stdout.write(f"the sequence {name!r} is proven: {audit.summary()}")

    def _compare(self, audit: Audit, options: dict[str, Any], sequences: Sequences) -> None:
        filters = dict(each.partition("=")[::2] for each in options["filter"])
        try:
            rows = field_values(options["field"], options["database"], filters)
            compare(audit, rows, lambda part: sequences.holders_of(options["name"], part))
        except (LookupError, ValueError, TypeError, FieldError, ValidationError) as error:
            raise CommandError(f"--field {options['field']}: {error}") from error

    def _recover(self, options: dict[str, Any]) -> None:
        told = recover(options["database"])
        for row, outcome in told:
            self.stdout.write(f"{row}\t{outcome.value}")
        left = sum(outcome in NOT_YET for _, outcome in told)
        if left:
            raise CommandError(f"{left} of {len(told)} could not be confirmed; see the log")
        self.stdout.write(f"{len(told)} confirmed")

    def _move(self, options: dict[str, Any]) -> None:
        initial, reset = options["initial_value"], options["reset_value"]
        for each in move(options["database"], options["name"], initial, reset):
            self.stdout.write(f"{each.name}\t{each.last_value}\t{each.taken} taken")


def _sequences(options: dict[str, Any]) -> Sequences:
    return stores[settings_for(options["database"]).alias].sequences


def _numbers_of(row: HeldNumbers, info: SequenceInfo) -> range | list[int]:
    last = row.number + row.count
    if info.reset_value is None or last <= info.reset_value:
        return range(row.number, last)
    size = info.reset_value - info.initial_value
    first = row.number - info.initial_value
    return [info.initial_value + (first + each) % size for each in range(row.count)]
