"""What `manage.py check` says of a project that cannot work as it is set up."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from quoth.contrib.django.stores import all_settings

# There it is the name of READ COMMITTED.
NEVER_DIRTY = ("postgresql",)


def check_settings(**others: Any) -> list[CheckMessage]:
    """quoth.E001: QUOTH is missing, or wrong."""
    try:
        all_settings()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="quoth.E001")]
    return []


def check_isolation(**others: Any) -> list[CheckMessage]:
    """quoth.E002: a database whose transactions see what others may yet roll back."""
    return [
        Error(
            f"the database {alias!r} reads what is not committed",
            hint="Numbers of a transaction that is rolled back later would be taken for used."
            " Set isolation_level in its OPTIONS to 'read committed' or above.",
            id="quoth.E002",
        )
        for alias, entry in settings.DATABASES.items()
        if _reads_uncommitted(entry)
        and alias in connections
        and connections[alias].vendor not in NEVER_DIRTY
    ]


def check_transactions(
    *, databases: Sequence[str] | None = None, **others: Any
) -> list[CheckMessage]:
    """quoth.E003: a database that cannot roll back. Looked at by `check --database ALIAS`."""
    return [
        Error(
            f"the database {alias!r} has no transactions",
            hint="Use one that can roll back: on MySQL that is the engine InnoDB.",
            id="quoth.E003",
        )
        for alias in databases or ()
        if not connections[alias].features.supports_transactions
    ]


def _reads_uncommitted(entry: dict[str, Any]) -> bool:
    level = (entry.get("OPTIONS") or {}).get("isolation_level")
    return isinstance(level, str) and level.replace("_", " ").lower() == "read uncommitted"
