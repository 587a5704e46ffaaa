"""Configurations: what clients are told about how to behave, and the settings of a database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from quoth.commands import Reply, WireRequest
from quoth.errors import Misuse
from quoth.operations.checks import check_kind, check_name, check_number
from quoth.operations.kinds import (
    DatabaseRead,
    DatabaseWrite,
    NamesDatabase,
    ServerRead,
    ServerWrite,
    Silent,
)
from quoth.options import LoadBalanceBehavior, ReadBalanceBehavior
from quoth.serialization import encode
from quoth.shape import read_shape, write_shape


@dataclass
class ClientConfiguration:
    """What a server tells its clients about how to behave. None: as the client does by itself."""

    identity_parts_separator: str | None = None
    etag: int = 0
    disabled: bool = False
    max_number_of_requests_per_session: int | None = None
    read_balance_behavior: ReadBalanceBehavior = ReadBalanceBehavior.NONE
    load_balance_behavior: LoadBalanceBehavior = LoadBalanceBehavior.NONE
    load_balancer_context_seed: int | None = None

    def check(self) -> None:
        """Raise Misuse for what no client could follow."""
        if self.identity_parts_separator == "|":
            raise Misuse("identity_parts_separator cannot be '|': it ends the names of identities")
        if self.max_number_of_requests_per_session is not None:
            number = self.max_number_of_requests_per_session
            check_number(number, "max_number_of_requests_per_session", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetClientConfigurationResult:
    """What clients of a database are told. `etag` grows with each change."""

    etag: int
    configuration: ClientConfiguration | None


@dataclass(frozen=True, slots=True)
class GetClientConfigurationOperation(DatabaseRead):
    """What clients of a database are told: by it, or else by the server."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/configuration/client")

    def read(self, reply: Reply) -> GetClientConfigurationResult:
        return read_shape(GetClientConfigurationResult, reply.json())


@dataclass(frozen=True, slots=True)
class PutClientConfigurationOperation(Silent, DatabaseWrite):
    """Tell clients of a database how to behave."""

    config: ClientConfiguration

    def __post_init__(self) -> None:
        check_kind(self.config, ClientConfiguration, "config")
        self.config.check()

    def to_request(self) -> WireRequest:
        body = encode(write_shape(self.config))
        return WireRequest("PUT", "/admin/configuration/client", (), body)


@dataclass(frozen=True, slots=True)
class GetServerWideClientConfigurationOperation(ServerRead):
    """What clients are told where their database tells nothing; None if that is nothing either."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/configuration/client")

    def read(self, reply: Reply) -> ClientConfiguration | None:
        return None if reply.is_missing else read_shape(ClientConfiguration, reply.json())


@dataclass(frozen=True, slots=True)
class PutServerWideClientConfigurationOperation(Silent, ServerWrite):
    """Tell clients how to behave where their database tells nothing."""

    config: ClientConfiguration

    def __post_init__(self) -> None:
        check_kind(self.config, ClientConfiguration, "config")
        self.config.check()

    def to_request(self) -> WireRequest:
        body = encode(write_shape(self.config))
        return WireRequest("PUT", "/admin/configuration/client", (), body)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """The settings of a database, by name."""

    settings: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GetDatabaseSettingsOperation(NamesDatabase, ServerRead):
    """The settings of a database, which is named here and may be disabled."""

    database_name: str

    def __post_init__(self) -> None:
        check_name(self.database_name, "the name of a database")

    def to_request(self) -> WireRequest:
        return WireRequest("GET", _below(self.database_name, "/admin/record"))

    def read(self, reply: Reply) -> DatabaseSettings:
        return read_shape(DatabaseSettings, reply.json())


@dataclass(frozen=True, slots=True)
class PutDatabaseSettingsOperation(Silent, NamesDatabase, ServerWrite):
    """Give a database these settings, instead of those it has."""

    database_name: str
    configuration_settings: Mapping[str, str | None]

    def __post_init__(self) -> None:
        check_name(self.database_name, "the name of a database")
        check_kind(self.configuration_settings, dict, "configuration_settings")

    def to_request(self) -> WireRequest:
        body = encode(dict(self.configuration_settings))
        path = _below(self.database_name, "/admin/configuration/settings")
        return WireRequest("PUT", path, (), body)


def _below(database_name: str, path: str) -> str:
    return f"/databases/{quote(database_name, safe='')}{path}"
