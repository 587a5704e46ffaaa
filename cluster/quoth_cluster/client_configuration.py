"""The configuration for clients: kept as JSON, of one database or of the whole server.

The state needs one thing of it, the character that separates the parts of the ids it makes:
`users/1`. The configuration of a database counts, or else that of the server; a disabled one does
not.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import CLIENT_CONFIGURATION

CONFIGURATION_BYTES_MAX = 4_096
DEFAULT_SEPARATOR = "/"
IDENTITY_END = "|"
# Neither a letter nor a digit, which are parts, nor what starts a path, ends an identity or blanks.
SEPARATOR = re.compile(r"[!-.:-@\[-`{}~/]", re.ASCII)


@dataclass(frozen=True, slots=True)
class ClientConfiguration:
    """The configuration of the server for clients."""

    json: bytes = b""  # a JSON object; empty: there is none
    command_index: int = 0  # of the command that set it


def check(configuration: bytes) -> Refused | None:
    """Refuse what is no configuration, or asks for ids that could not be told apart."""
    if len(configuration) > CONFIGURATION_BYTES_MAX:
        message = f"A client configuration has at most {CONFIGURATION_BYTES_MAX} bytes."
        return Refused(Refusal.INVALID, message)
    content = _content(configuration)
    if content is None:
        return Refused(Refusal.INVALID, "A client configuration is a JSON object.")
    separator = content.get("IdentityPartsSeparator")
    if separator is not None and not is_separator(separator):
        message = (
            "IdentityPartsSeparator is one character, no letter, digit or blank, "
            f"and not '{IDENTITY_END}'."
        )
        return Refused(Refusal.INVALID, message)
    return None


def is_separator(value: object) -> bool:
    """Whether `value` can separate the parts of an id."""
    return isinstance(value, str) and SEPARATOR.fullmatch(value) is not None


def separator(of_database: bytes, of_server: bytes) -> str:
    """What separates the parts of ids that are made in a database."""
    if not of_database and not of_server:
        return DEFAULT_SEPARATOR
    for configuration in (of_database, of_server):
        content = (_content(configuration) if configuration else None) or {}
        found = content.get("IdentityPartsSeparator")
        if content.get("Disabled") is not True and is_separator(found):
            return str(found)
    return DEFAULT_SEPARATOR


def load(txn: ReadTxn) -> ClientConfiguration:
    """The configuration of the server; an empty one if there is none."""
    value = txn.get(keys.CLIENT_CONFIGURATION)
    if value is None:
        return ClientConfiguration()
    (command_index,), json = CLIENT_CONFIGURATION.unpack(value)
    return ClientConfiguration(json, command_index)


def store(txn: WriteTxn, configuration: ClientConfiguration) -> None:
    """Keep the configuration of the server."""
    packed = CLIENT_CONFIGURATION.pack(configuration.command_index, raw=configuration.json)
    txn.put(keys.CLIENT_CONFIGURATION, packed)


def _content(configuration: bytes) -> dict[str, Any] | None:
    try:
        content = orjson.loads(configuration)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None
