"""Links with certificates: who cannot show who it is says nothing here."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgpack
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from quoth_cluster.raft import link
from quoth_cluster.raft.tls import BadCertificate, LinkTls, tag_named_by
from tests.certificates import DAY, Authority, issue_by_itself, make_authority
from tests.unit.raft.ends import Bare, End, running, until

HOUR = timedelta(hours=1)


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return make_authority(tmp_path / "ca")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was taken for msgpack, by anybody."""
    seen: list[bytes] = []
    unpackb = msgpack.unpackb

    def spy(packed: bytes, **options: object) -> object:
        seen.append(bytes(packed))
        return unpackb(packed, **options)

    monkeypatch.setattr(msgpack, "unpackb", spy)
    return seen


@pytest.fixture
async def node(ca: Authority) -> AsyncIterator[End]:
    """Node A, with its certificate."""
    end = End("A", tls=ca.issue("A"))
    async with running(end):
        yield end


def bare_context(files: LinkTls | None, ca: Path) -> ssl.SSLContext:
    """What somebody connects with who checks nothing of himself."""
    context = ssl.create_default_context(cafile=str(ca))
    context.check_hostname = False
    if files is not None:
        context.load_cert_chain(files.certificate, files.key)
    return context


async def test_nodes_with_certificates_speak(ca: Authority) -> None:
    a, b = End("A", tls=ca.issue("A")), End("B", tls=ca.issue("B"))
    async with running(a, b):
        a.open(b)
        b.open(a)
        await a.is_up("B")
        await b.is_up("A")
        for number in range(100):
            assert a.links.send("B", {"n": number, "body": bytes(50_000)})
            assert b.links.send("A", {"n": number})
        await until(lambda: len(b.heard) == len(a.heard) == 100, "not all arrived")
        assert b.numbers() == a.numbers() == list(range(100))


async def test_what_goes_over_the_link_is_tls_1_3(ca: Authority, node: End) -> None:
    bare = await Bare.connect(node, bare_context(ca.issue("B"), ca.path))
    found = bare.writer.get_extra_info("ssl_object")
    assert found.version() == "TLSv1.3"
    assert tag_named_by(bare.writer.get_extra_info("peercert")) == "A"
    assert await bare.introduce() == {"ok": True, "incarnation": b"A"}
    assert found.session is None or not found.session.has_ticket, "nobody resumes without a proof"
    bare.say_number(1)
    await until(lambda: node.numbers() == [1], "it was not heard")
    bare.close()


@pytest.mark.parametrize(
    "case",
    [
        *("no certificate", "another CA", "self-signed", "expired", "not valid yet"),
        *("no name", "another name", "two names", "client's purpose", "server's purpose"),
        *("TLS 1.2", "plain TCP"),
    ],
)
async def test_who_cannot_show_who_it_is_is_refused_before_a_byte_is_parsed(
    ca: Authority, node: End, parsed: list[bytes], case: str, tmp_path: Path
) -> None:
    both, client, server = (
        (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
        (ExtendedKeyUsageOID.CLIENT_AUTH,),
        (ExtendedKeyUsageOID.SERVER_AUTH,),
    )
    files: LinkTls | None
    match case:
        case "no certificate":
            files = None
        case "another CA":
            files = make_authority(tmp_path / "other", name="CA of a test").issue("B")
        case "self-signed":
            files = issue_by_itself(tmp_path / "self", "B", ca=ca.path)
        case "expired":
            files = ca.issue("B", starts=-2 * DAY, ends=-HOUR)
        case "not valid yet":
            files = ca.issue("B", starts=HOUR, ends=DAY)
        case "no name":
            files = ca.issue("client", uris=())
        case "another name":
            files = ca.issue("client", uris=("https://example.org/quoth:node:B", "quoth:node:b"))
        case "two names":
            files = ca.issue("B", uris=("quoth:node:B", "quoth:node:C"))
        case "client's purpose":
            files = ca.issue("client", uris=(), usage=client)
        case "server's purpose":
            files = ca.issue("B", usage=server)
        case _:
            files = ca.issue("B", usage=both)
    context = None if case == "plain TCP" else bare_context(files, ca.path)
    if case == "TLS 1.2":
        assert context is not None
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(OSError):
            await Bare.connect(node, context)
        assert parsed == []
        return
    bare = await Bare.connect(node, context)
    with pytest.raises((OSError, EOFError)):
        # In TLS 1.3 the one who connects is done before its certificate was looked at.
        await bare.introduce()
    assert parsed == [] and node.heard == []


@pytest.mark.parametrize("tag", ["C", "A"])
async def test_a_node_cannot_speak_as_another(ca: Authority, node: End, tag: str) -> None:
    bare = await Bare.connect(node, bare_context(ca.issue("B"), ca.path))
    answer = await bare.introduce(**{"from": tag})
    assert "of node B" in answer["refused"] or "malformed" in answer["refused"]
    assert await bare.is_over()


async def test_each_frame_is_by_who_opened_the_link(ca: Authority, node: End) -> None:
    bare = await Bare.connect(node, bare_context(ca.issue("B"), ca.path))
    assert await bare.introduce() == {"ok": True, "incarnation": b"A"}
    bare.say(b"\x81\xa1n\x01", head=link.Identity("cluster", "main", "C").head())
    assert await bare.is_over() and node.heard == []


async def test_a_node_speaks_to_nobody_but_the_one_it_wants(
    ca: Authority, node: End, parsed: list[bytes]
) -> None:
    b = End("B", tls=ca.issue("B"))
    async with running(b):
        b.links.open("C", node.address)
        assert await b.trouble("C", "there") == "node A is there"
    assert parsed == [], "not even an opening was sent"


async def test_a_node_of_another_ca_is_not_spoken_to(
    ca: Authority, tmp_path: Path, parsed: list[bytes]
) -> None:
    a = End("A", tls=ca.issue("A"))
    b = End("B", tls=make_authority(tmp_path / "other").issue("B"))
    async with running(a, b):
        a.open(b)
        b.open(a)
        await a.trouble("B", "certificate verify failed", "CERTIFICATE_VERIFY_FAILED")
        await b.trouble("A", "certificate verify failed", "CERTIFICATE_VERIFY_FAILED")
    assert parsed == []


async def test_tls_and_plain_do_not_mix(ca: Authority, parsed: list[bytes]) -> None:
    secured, plain = End("A", tls=ca.issue("A")), End("B")
    async with running(secured, plain):
        secured.open(plain)
        plain.open(secured)
        await until(
            lambda: bool(secured.links.trouble("B") and plain.links.trouble("A")), "no trouble"
        )
        assert not secured.links.is_up("B") and not plain.links.is_up("A")
    assert parsed == []


async def test_a_slow_handshake_is_not_waited_for(
    ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "OPENING_SECONDS", 0.3)
    end = End("A", tls=ca.issue("A"))
    async with running(end):
        silent = await Bare.connect(end)
        async with asyncio.timeout(3.0):
            assert await silent.is_over()


async def test_a_renewed_certificate_is_used_without_a_restart(ca: Authority) -> None:
    files = ca.issue("A")
    end = End("A", tls=files)
    context = bare_context(ca.issue("B"), ca.path)
    async with running(end):
        before = await Bare.connect(end, context)
        assert await before.introduce() == {"ok": True, "incarnation": b"A"}
        ca.issue("A")  # in the same place
        after = await Bare.connect(end, context)
        assert await after.introduce(epoch=5_001) == {"ok": True, "incarnation": b"A"}
        shown = [found.writer.get_extra_info("peercert") for found in (before, after)]
        assert shown[0]["serialNumber"] != shown[1]["serialNumber"]
        before.close()
        after.close()


async def test_a_new_ca_is_used_without_a_restart(ca: Authority, tmp_path: Path) -> None:
    """Both sides move over; who is left behind cannot speak any more."""
    other = make_authority(tmp_path / "other")
    a, b = End("A", tls=ca.issue("A")), End("B", tls=ca.issue("B"))
    left = bare_context(ca.issue("C"), ca.path)
    left.verify_mode = ssl.CERT_NONE
    async with running(a, b):
        a.open(b)
        await a.is_up("B")
        for tag in "AB":
            files = other.issue(tag)
            os.replace(files.certificate, ca.folder / f"{tag}.crt")
            os.replace(files.key, ca.folder / f"{tag}.key")
        os.replace(other.path, ca.path)
        b.open(a)
        await b.is_up("A")
        bare = await Bare.connect(a, left)
        with pytest.raises((OSError, EOFError)):
            await bare.introduce(**{"from": "C"})
        assert a.links.is_up("B"), "what stood is not touched"


async def test_what_is_half_replaced_is_not_used(
    ca: Authority, node: End, caplog: pytest.LogCaptureFixture
) -> None:
    context = bare_context(ca.issue("B"), ca.path)
    kept = (ca.folder / "A.key").read_bytes()
    fresh = ca.issue("A")
    new_key = fresh.key.read_bytes()
    fresh.key.write_bytes(kept)
    bare = await Bare.connect(node, context)
    assert await bare.introduce() == {"ok": True, "incarnation": b"A"}
    assert "do not belong together" in caplog.text
    first = bare.writer.get_extra_info("peercert")["serialNumber"]
    fresh.key.write_bytes(new_key)
    bare = await Bare.connect(node, context)
    assert await bare.introduce(epoch=5_001) == {"ok": True, "incarnation": b"A"}
    assert bare.writer.get_extra_info("peercert")["serialNumber"] != first
    bare.close()


def bad_files(case: str, ca: Authority, other: Authority) -> tuple[LinkTls, str]:
    """Files that node A cannot use, and why."""
    good = ca.issue("A")
    match case:
        case "missing certificate":
            return replace(good, certificate=ca.folder / "X"), "cannot be read: No such file"
        case "missing key":
            return replace(good, key=ca.folder / "X"), "cannot be read: No such file"
        case "missing CA":
            return replace(good, ca=ca.folder / "X"), "cannot be read: No such file"
        case "another key":
            return replace(good, key=ca.issue("B").key), "do not belong together"
        case "another tag":
            return ca.issue("B"), "names node B, not A"
        case "no tag":
            return ca.issue("A", uris=()), "it names no nodes"
        case "two tags":
            return ca.issue("A", uris=("quoth:node:A", "quoth:node:B")), "it names 2 nodes"
        case "expired":
            return ca.issue("A", starts=-2 * DAY, ends=-HOUR), "certificate has expired"
        case "not valid yet":
            return ca.issue("A", starts=HOUR), "not yet valid"
        case "another CA":
            return replace(good, ca=other.path), "against the CA in"
        case "client only":
            return ca.issue("A", usage=(ExtendedKeyUsageOID.CLIENT_AUTH,)), "purpose"
        case "server only":
            return ca.issue("A", usage=(ExtendedKeyUsageOID.SERVER_AUTH,)), "purpose"
        case "encrypted key":
            return ca.issue("A", password=b"secret"), "the key is encrypted"
        case "no PEM":
            good.certificate.write_text("nothing")
            return good, "A.crt and key"
        case "no PEM CA":
            empty = ca.folder / "empty"
            empty.touch()
            return replace(good, ca=empty), f"CA {empty}"
        case _:
            good.key.chmod(0o640)
            return good, "has mode 0640, 0600 is the most allowed"


@pytest.mark.parametrize(
    "case",
    [
        *("missing certificate", "missing key", "missing CA", "another key", "another tag"),
        *("no tag", "two tags", "expired", "not valid yet", "another CA", "client only"),
        *("server only", "encrypted key", "no PEM", "no PEM CA", "open key"),
    ],
)
def test_files_that_cannot_work_are_told_in_one_line(
    ca: Authority, tmp_path: Path, case: str
) -> None:
    files, said = bad_files(case, ca, make_authority(tmp_path / "other"))
    with pytest.raises(BadCertificate) as found:
        files.check("A")
    assert said in str(found.value) and "\n" not in str(found.value)


def test_files_that_work_are_fine(ca: Authority) -> None:
    files = ca.issue("A")
    files.check("A")
    files.key.chmod(0o400)
    files.check("A")
