"""Who speaks on a link, shown by certificates: mutual TLS 1.3, and nothing older.

A certificate names its node by a URI among its alternative names, `quoth:node:<TAG>`, once. It must
be signed by the cluster's CA and good for both ends of a connection. One without such a name, a
client's say, gets through the handshake and no further.

Files that changed are read again for the next connection; connections that stand are not touched.
What is half replaced, or does not fit, is not used: the last good files are, and the log says why.
"""

import logging
import os
import re
import ssl
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = re.compile(r"quoth:node:([A-Z]{1,4})")
KEY_MODE_MAX = 0o600
HANDSHAKE_STEPS_MAX = 4  # TLS 1.3 takes two of each side

log = logging.getLogger(__name__)


class BadCertificate(ValueError):
    """A certificate, or a file that belongs to it, cannot be used here; in one line, why."""


@dataclass(frozen=True, slots=True)
class LinkTls:
    """Where a node's certificate, its key, and the certificate of the cluster's CA are, in PEM."""

    certificate: Path
    key: Path
    ca: Path

    def server(self) -> ssl.SSLContext:
        """A context for the side that is connected to. Raises BadCertificate."""
        context = self._context(ssl.PROTOCOL_TLS_SERVER)
        # A session that goes on without a handshake would outlive the certificate it began with.
        context.num_tickets = 0
        return context

    def client(self) -> ssl.SSLContext:
        """A context for the side that connects. Raises BadCertificate."""
        return self._context(ssl.PROTOCOL_TLS_CLIENT)

    def check(self, tag: str) -> None:
        """Raise BadCertificate unless node `tag` can speak with these files, now."""
        for path in (self.certificate, self.key, self.ca):
            _require_readable(path)
        mode = stat.S_IMODE(self.key.stat().st_mode)
        if mode & ~KEY_MODE_MAX:
            raise BadCertificate(f"key {self.key} has mode {mode:04o}, 0600 is the most allowed")
        try:
            named = tag_named_by(_shake_hands(self.client(), self.server()))
        except ssl.SSLCertVerificationError as error:
            why = f"{error.verify_message} (against the CA in {self.ca})"
            raise BadCertificate(f"certificate {self.certificate}: {why}") from error
        except ssl.SSLError as error:
            raise BadCertificate(f"certificate {self.certificate}: {_reason(error)}") from error
        except BadCertificate as error:
            raise BadCertificate(f"certificate {self.certificate}: {error}") from error
        if named != tag:
            raise BadCertificate(f"certificate {self.certificate} names node {named}, not {tag}")

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Differs when a file was replaced or written. Raises OSError."""
        stats = [path.stat() for path in (self.certificate, self.key, self.ca)]
        return tuple((found.st_mtime_ns, found.st_size, found.st_ino) for found in stats)

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.check_hostname = False  # a node is known by its tag, wherever it runs
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_verify_locations(cafile=self.ca)
        except ssl.SSLError as error:
            raise BadCertificate(f"CA {self.ca}: {_reason(error)}") from error
        except OSError as error:
            raise BadCertificate(f"CA {self.ca}: {error.strerror}") from error
        try:
            context.load_cert_chain(self.certificate, self.key, password=_ask_nobody)
        except ssl.SSLError as error:
            pair = f"certificate {self.certificate} and key {self.key}"
            raise BadCertificate(f"{pair}: {_reason(error)}") from error
        except OSError as error:
            raise BadCertificate(f"certificate {self.certificate}: {error.strerror}") from error
        return context


class Contexts:
    """The contexts of node `tag`, made anew when the files have changed."""

    def __init__(self, tls: LinkTls, tag: str) -> None:
        """Raises BadCertificate."""
        self._tls = tls
        self._tag = tag
        tls.check(tag)
        self._stamp = tls.stamp()
        self._server, self._client = tls.server(), tls.client()
        self.listening = tls.server()  # for a server that stands as long as the process
        self.listening.sni_callback = self._take_newest

    @property
    def server(self) -> ssl.SSLContext:
        """For one connection of a peer."""
        self._read_again_if_changed()
        return self._server

    @property
    def client(self) -> ssl.SSLContext:
        """For one connection to a peer."""
        self._read_again_if_changed()
        return self._client

    def _take_newest(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext
    ) -> None:
        # OpenSSL asks this in every handshake, whether or not a name came. What it sets, it uses:
        # certificate, key and CA.
        connection.context = self.server

    def _read_again_if_changed(self) -> None:
        try:
            stamp = self._tls.stamp()
            if stamp == self._stamp:
                return
            self._stamp = stamp  # one complaint for one change
            self._tls.check(self._tag)
            self._server, self._client = self._tls.server(), self._tls.client()
        except (BadCertificate, OSError) as error:
            log.warning("the certificate files have changed and are not used: %s", error)
        else:
            log.info("node %s has read its certificate again", self._tag)


def tag_named_by(certificate: Mapping[str, Any] | None) -> str:
    """The tag that a verified certificate names. Raises BadCertificate."""
    names = () if certificate is None else certificate.get("subjectAltName", ())
    found = [NAME.fullmatch(name) for kind, name in names if kind == "URI"]
    tags = [match[1] for match in found if match is not None]
    if len(tags) != 1:
        raise BadCertificate(f"it names {len(tags) or 'no'} nodes; quoth:node:<TAG> must be once")
    return tags[0]


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, Any] | None:
    """Let a node speak with itself, in memory; the certificate that both ends accepted."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(HANDSHAKE_STEPS_MAX):
        for side in (here, there):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return there.getpeercert()


def _require_readable(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        raise BadCertificate(f"{path} cannot be read: {error.strerror}") from error


def _ask_nobody() -> str:
    # Without this, OpenSSL would ask at the terminal, and wait.
    raise BadCertificate("the key is encrypted")


def _reason(error: ssl.SSLError) -> str:
    """What OpenSSL says, in lower case and without its numbers."""
    if error.reason == "KEY_VALUES_MISMATCH":
        return "they do not belong together"
    return (error.reason or "not in PEM").lower().replace("_", " ")
