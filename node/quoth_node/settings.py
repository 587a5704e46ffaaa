"""The settings file, TOML: one for all nodes of a cluster, read and checked before anything starts.

    [raft]
    heartbeat_ms = 100

    [tls]                                 # links between nodes: mutual TLS 1.3
    certificate = "certificates/{tag}.crt"
    key = "certificates/{tag}.key"
    ca = "certificates/ca.crt"

Paths start at the folder of the settings file; `{tag}` stands for the node's tag.
"""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from quoth_cluster.raft.tls import BadCertificate, LinkTls
from quoth_node.config import RaftConfig, require
from quoth_node.errors import BadConfig

TAG_MARK = "{tag}"
TABLES = {
    "raft": frozenset(entry.name for entry in fields(RaftConfig)),
    "tls": frozenset(entry.name for entry in fields(LinkTls)),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a settings file says to one node."""

    raft: RaftConfig
    tls: LinkTls | None = None


def read_settings(path: Path | None, *, tag: str) -> Settings:
    """The settings for node `tag`; the defaults without a file.

    Raises BadConfig if the file cannot be read, holds anything unknown, or names certificate files
    with which this node cannot speak.
    """
    if path is None:
        return Settings(RaftConfig())
    tables = _read(path)
    raft = RaftConfig(**tables.get("raft", {}))
    if "tls" not in tables:
        return Settings(raft)
    files: dict[str, Path] = {}
    for name in sorted(TABLES["tls"]):
        value = tables["tls"].get(name)
        told = f"settings file {path}: tls.{name} must be the path of a file"
        require(isinstance(value, str) and bool(value), told)
        files[name] = (path.parent / str(value).replace(TAG_MARK, tag)).absolute()
    tls = LinkTls(**files)
    try:
        tls.check(tag)
    except BadCertificate as error:
        raise BadConfig(f"node {tag} cannot use TLS: {error}") from error
    return Settings(raft, tls)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The tables of the file. Raises BadConfig if one, or a name in one, is unknown."""
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"settings file {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"settings file {path} is not TOML: {error}") from error
    unknown = [name for name in settings if name not in TABLES]
    for name, known in TABLES.items():
        table = settings.get(name, {})
        require(isinstance(table, dict), f"settings file {path}: {name} must be a table")
        unknown += [f"{name}.{entry}" for entry in table if entry not in known]
    require(not unknown, f"settings file {path}: unknown setting {', '.join(unknown)}")
    return settings
