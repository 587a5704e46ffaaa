"""Certificates for tests: a CA of their own, and what it signs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from quoth_cluster.raft.tls import LinkTls

DAY = timedelta(days=1)
BOTH_ENDS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True)
class Authority:
    """A CA whose files are in `folder`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def path(self) -> Path:
        return self.folder / "ca.crt"

    def issue(
        self,
        name: str,
        *,
        uris: tuple[str, ...] | None = None,
        starts: timedelta = -DAY,
        ends: timedelta = DAY,
        usage: tuple[x509.ObjectIdentifier, ...] = BOTH_ENDS,
        password: bytes | None = None,
    ) -> LinkTls:
        """A certificate for node `name`, unless other URIs are given; its files."""
        key = ec.generate_private_key(ec.SECP256R1())
        found = (f"quoth:node:{name}",) if uris is None else uris
        builder = _builder(name, key, issuer=self.certificate.subject, starts=starts, ends=ends)
        if found:
            names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(u) for u in found])
            builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return write(self.folder / name, key, certificate, ca=self.path, password=password)


def make_authority(folder: Path, name: str = "CA of a test") -> Authority:
    """A new CA in a folder of its own."""
    folder.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(name, key, issuer=None, starts=-DAY, ends=DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    return Authority(folder, key, certificate)


def issue_by_itself(folder: Path, tag: str, *, ca: Path) -> LinkTls:
    """A certificate for node `tag` that nobody signed but its own key."""
    folder.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"quoth:node:{tag}")])
    certificate = (
        _builder(tag, key, issuer=None, starts=-DAY, ends=DAY)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    return write(folder / tag, key, certificate, ca=ca)


def write(
    stem: Path,
    key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    *,
    ca: Path,
    password: bytes | None = None,
) -> LinkTls:
    """Write both in PEM; the key for its owner only."""
    files = LinkTls(stem.with_suffix(".crt"), stem.with_suffix(".key"), ca)
    files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    encryption: KeySerializationEncryption = NoEncryption()
    if password is not None:
        encryption = BestAvailableEncryption(password)
    files.key.touch(mode=0o600)
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return files


def _builder(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Name | None,
    starts: timedelta,
    ends: timedelta,
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
    )
