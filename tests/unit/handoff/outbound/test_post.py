"""One POST: over TLS to the name that was asked for, bounded in time and in what is read."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.handoff.outbound.addresses import Allowed
from services.handoff.outbound.post import Poster

HERE = Allowed.parse("127.0.0.1")
Say = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def here(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


@asynccontextmanager
async def server(say: Say, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that reads a request and then does what `say` does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            await reader.readuntil(b"\r\n\r\n")
            await say(writer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


@asynccontextmanager
async def poster(seconds: float = 10, trust: ssl.SSLContext | None = None) -> AsyncIterator[Poster]:
    made = Poster(HERE, connections=2, seconds=seconds, resolve=here, trust=trust)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of crm.example.com, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "crm.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("crm.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "crm.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


async def _well(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 204 X\r\nconnection: close\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("host", "trusted", "outcome"),
    [
        ("crm.example.com", True, "delivered"),
        ("other.example.com", True, "unreachable"),  # the address was right, the name is not
        ("crm.example.com", False, "unreachable"),
    ],
)
async def test_the_certificate_has_to_be_that_of_the_name(
    certificate: Path, host: str, trusted: bool, outcome: str
) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=str(certificate)) if trusted else None
    async with server(_well, serving) as port, poster(trust=trust) as posting:
        answer = await posting.post(f"https://{host}:{port}/", {}, b"{}")
    assert answer.outcome == outcome
    assert outcome == "delivered" or "certificate" in (answer.text or "").lower()


async def test_an_answer_that_drips_does_not_outlast_its_time() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(drip) as port, poster(seconds=0.3) as posting:
        answer = await posting.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert answer.outcome == "timed_out"
    assert answer.took_ms < 5000


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    async def forever(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 X\r\nretry-after: 7\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    async with server(forever) as port, poster() as posting:
        answer = await posting.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert (answer.outcome, answer.status, answer.retry_after, answer.text) == ("throttled", 503, 7, "x" * 300)


NOON = "Wed, 21 Oct 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("date", "later", "seconds"),
    [
        (NOON, "Wed, 21 Oct 2026 12:02:00 GMT", 120),
        ("Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 01:00:00 GMT", 3600),  # by a clock that is wrong by years
        (NOON, "Tue, 20 Oct 2026 12:00:00 GMT", 0),
        (NOON, "120", 120),
        (NOON, "soon", None),
        (NOON, "Wed, 99 Oct 99999 12:02:00 +9999999999", None),
        ("", "Wed, 21 Oct 2026 12:02:00 GMT", None),
    ],
)
async def test_a_date_to_come_back_at_is_counted_by_the_clock_of_who_says_it(
    date: str, later: str, seconds: int | None
) -> None:
    async def busy(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 503 X\r\ndate: {date}\r\nretry-after: {later}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()

    async with server(busy) as port, poster() as posting:
        answer = await posting.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert (answer.outcome, answer.retry_after) == ("throttled", seconds)


@pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nhalf", b""])
async def test_what_is_no_http_is_a_failure_and_no_crash(said: bytes) -> None:
    async def mumble(writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with server(mumble) as port, poster() as posting:
        answer = await posting.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert answer.outcome == "unreachable"


async def test_nobody_there_is_a_failure_and_no_crash() -> None:
    async with server(_well) as port:
        pass
    async with poster() as posting:
        assert (await posting.post(f"http://127.0.0.1:{port}/", {}, b"{}")).outcome == "unreachable"
