"""The stores of this process, one for each entry of the setting QUOTH.

    QUOTH = {
        "default": {
            "URLS": ["http://10.0.0.1:8080", "http://10.0.0.2:8080"],
            "DATABASE": "shop",
            "LEASE_SECONDS": 60,       # how long a transaction may take; see `sequences`
            "HOLDER": "the shop",      # how the journal names this project
        },
    }

The entry for a database of Django is that of the same alias, or else "default". A store is opened
when it is first used, and closed when the process ends; a forked process opens its own.
"""

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from quoth import DocumentStore
from quoth.errors import Misuse
from quoth.sequences import LEASE_SECONDS, check_holder, check_lease

DEFAULT = "default"
REQUIRED = ("URLS", "DATABASE")
KEYS = (*REQUIRED, "LEASE_SECONDS", "HOLDER")


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """One entry of QUOTH, checked."""

    alias: str
    urls: tuple[str, ...]
    database: str
    lease_seconds: float
    holder: str  # "" if none is named


def all_settings() -> dict[str, StoreSettings]:
    """The setting QUOTH. Raises ImproperlyConfigured, which says what is wrong with it."""
    found = getattr(settings, "QUOTH", None)
    if not isinstance(found, Mapping) or not found:
        raise ImproperlyConfigured(
            "the setting QUOTH is missing: QUOTH ="
            ' {"default": {"URLS": ["http://127.0.0.1:8080"], "DATABASE": "shop"}}'
        )
    return {alias: _checked(alias, entry) for alias, entry in found.items()}


def settings_for(using: str) -> StoreSettings:
    """The entry for a database of Django: that of its alias, else "default"."""
    found = all_settings()
    entry = found.get(using) or found.get(DEFAULT)
    if entry is None:
        raise ImproperlyConfigured(f'QUOTH has no entry "{using}", and no "{DEFAULT}"')
    return entry


def _checked(alias: object, entry: object) -> StoreSettings:
    where = f"QUOTH[{alias!r}]"
    if not isinstance(alias, str) or not isinstance(entry, Mapping):
        raise ImproperlyConfigured(f"{where} must be a dictionary with {' and '.join(REQUIRED)}")
    missing = [key for key in REQUIRED if not entry.get(key)]
    unknown = [str(key) for key in entry if key not in KEYS]
    if missing or unknown:
        raise ImproperlyConfigured(
            f"{where} lacks {', '.join(missing)}"
            if missing
            else f"{where} has {', '.join(unknown)}, which is none of {', '.join(KEYS)}"
        )
    urls, database = entry["URLS"], entry["DATABASE"]
    urls = (urls,) if isinstance(urls, str) else urls
    are_listed = isinstance(urls, list | tuple)
    if not are_listed or not all(isinstance(each, str) for each in (*urls, database)):
        raise ImproperlyConfigured(f"URLS of {where} is a list of texts, and DATABASE a text")
    lease, holder = entry.get("LEASE_SECONDS", LEASE_SECONDS), entry.get("HOLDER", "")
    try:
        check_lease(lease)
        check_holder(holder, "HOLDER")
        DocumentStore(urls, database)
    except Misuse as error:
        raise ImproperlyConfigured(f"{where}: {error}") from error
    return StoreSettings(
        alias=alias, urls=tuple(urls), database=database, lease_seconds=lease, holder=holder
    )


class Stores:
    """The stores that this process has open."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[str, DocumentStore] = {}

    def __getitem__(self, alias: str) -> DocumentStore:
        """The store of an entry of QUOTH."""
        store = self._open.get(alias)
        if store is not None:
            return store
        with self._lock:
            if alias not in self._open:
                entry = all_settings().get(alias)
                if entry is None:
                    raise ImproperlyConfigured(f'QUOTH has no entry "{alias}"')
                self._open[alias] = DocumentStore(entry.urls, entry.database)
            return self._open[alias]

    def close(self) -> None:
        """Close all; whoever needs one later opens it again."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def forget(self) -> None:
        """In a forked process: the connections are the parent's, and so is the lock."""
        self._lock = Lock()
        self._open = {}


stores = Stores()
atexit.register(stores.close)
os.register_at_fork(after_in_child=stores.forget)


def _settings_changed(*, setting: str, **others: Any) -> None:
    if setting == "QUOTH":
        stores.close()


setting_changed.connect(_settings_changed)
