"""Looks at the way to the API host, step by step, as wxasset itself would go: straight, with the system's authorities.

Nothing secret is sent: one request goes out, without a token, and only over TLS that was verified.
"""

import asyncio
import ipaddress
import os
import re
import socket
import ssl
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from attrs import frozen

from wxasset.cli.doctor.network import Answer, Attempt, Lookup
from wxasset.cli.doctor.tls import Certificate, Handshake, TrustStore, read_certificate

__all__ = ["Network", "Target", "probe", "target_of", "trust_store"]

T = TypeVar("T")

_PATIENCE: Final = 5.0  # seconds for each step
_ADDRESSES: Final = 4  # addresses tried of a host; WeChat's has about as many
_MOST: Final = 64 * 1024  # bytes of the answer to be read; WeChat's has about 300
_PATH: Final = "/cgi-bin/get_api_domain_ip"  # answers 41001 without a token (wire reference 0.5)
_ERRCODE: Final = re.compile(rb'"errcode"\s*:\s*(-?\d{1,9})')
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d{1,9})\r\n")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_IGNORED: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")  # what other programs read


@frozen(kw_only=True)
class Target:
    """The API host."""

    scheme: str
    host: str
    port: int
    prefix: str = ""


@frozen(kw_only=True)
class Network:
    """What was found on the way; a step that was not come to is None, and so is TLS where there is none."""

    lookup: Lookup
    attempts: tuple[Attempt, ...] | None = None
    handshake: Handshake | None = None
    answer: Answer | None = None

    @property
    def reached(self) -> bool:
        """Whether there was a connection."""
        return any(one.fault is None for one in self.attempts or ())


def target_of(base_url: str) -> Target:
    """Take an address apart.

    Raises:
        ValueError: It is none.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no address")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Target(scheme=parts.scheme, host=parts.hostname, port=port, prefix=parts.path.rstrip("/"))


def trust_store(environ: Mapping[str, str]) -> TrustStore:
    """See where this Python takes its authorities from."""
    paths = ssl.get_default_verify_paths()  # None for what is not there
    named = [environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(name)]
    place = paths.cafile or paths.capath
    missing = next((one for one in named if not Path(one).exists()), None)
    return TrustStore(
        # Windows has authorities of its own, in no file.
        present=missing is None and (bool(place) or sys.platform == "win32"),
        place=missing or place or paths.openssl_cafile,
        chosen=bool(named),
        ignored=tuple(name for name in _IGNORED if environ.get(name)),
    )


async def probe(target: Target, trust: TrustStore) -> Network:
    """Go the way to the API host, as far as it leads."""
    lookup = await _look_up(target)
    if lookup.fault is not None:
        return Network(lookup=lookup)
    attempts = await asyncio.gather(*(_connect(one, target.port) for one in lookup.addresses[:_ADDRESSES]))
    found = Network(lookup=lookup, attempts=tuple(attempts))
    reached = next((one for one in attempts if one.fault is None), None)
    if reached is None:
        return found
    if target.scheme == "http":
        return Network(lookup=lookup, attempts=tuple(attempts), answer=await _ask(target, reached.address, None))
    handshake = await _shake_hands(target, reached.address, trust)
    answer = None
    if handshake.fault is None:
        answer = await _ask(target, reached.address, await _verifying())
    return Network(lookup=lookup, attempts=tuple(attempts), handshake=handshake, answer=answer)


async def _within(work: Awaitable[T]) -> T:
    return await asyncio.wait_for(work, _PATIENCE)


def _fault(error: BaseException) -> str:
    """Say in the system's words what went wrong: asyncio puts addresses in their place."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_PATIENCE:g} s"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


async def _look_up(target: Target) -> Lookup:
    begun = time.perf_counter()
    try:
        ipaddress.ip_address(target.host)
    except ValueError:
        pass
    else:
        return Lookup(host=target.host, addresses=(target.host,))
    loop = asyncio.get_running_loop()
    try:
        found = await _within(loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        return Lookup(host=target.host, fault=_fault(error))
    addresses = tuple(dict.fromkeys(str(one[4][0]) for one in found))
    return Lookup(host=target.host, addresses=addresses, milliseconds=(time.perf_counter() - begun) * 1000)


async def _connect(address: str, port: int) -> Attempt:
    begun = time.perf_counter()
    try:
        async with _open(address, port, None, None):
            return Attempt(address=address, milliseconds=(time.perf_counter() - begun) * 1000)
    except OSError as error:
        return Attempt(address=address, fault=_fault(error))


@asynccontextmanager
async def _open(
    address: str, port: int, tls: ssl.SSLContext | None, host: str | None
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    """Open a connection, which is closed without ceremony."""
    name = host if tls is not None else None
    reader, writer = await _within(asyncio.open_connection(address, port, ssl=tls, server_hostname=name, limit=_MOST))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _verifying() -> ssl.SSLContext:
    """Make the context that aiohttp makes; it reads files."""
    return await asyncio.get_running_loop().run_in_executor(None, ssl.create_default_context)


async def _shake_hands(target: Target, address: str, trust: TrustStore) -> Handshake:
    now = time.time()
    try:
        async with _open(address, target.port, await _verifying(), target.host) as (_, writer):
            tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
            certificate = _read(tls.getpeercert(binary_form=True))
            return Handshake(version=tls.version(), certificate=certificate, now=now, trust=trust)
    except ssl.SSLCertVerificationError as error:
        shown = await _unverified(target, address)
        return Handshake(code=error.verify_code, fault=error.verify_message, certificate=shown, now=now, trust=trust)
    except OSError as error:
        return Handshake(fault=_fault(error), now=now, trust=trust)


async def _unverified(target: Target, address: str) -> Certificate | None:
    """Get the certificate that was refused, to say who made it; nothing is sent over this connection."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        async with _open(address, target.port, tls, target.host) as (_, writer):
            return _read(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    except OSError:
        return None


def _read(data: bytes | None) -> Certificate | None:
    try:
        return read_certificate(data or b"")
    except ValueError:
        return None


async def _ask(target: Target, address: str, tls: ssl.SSLContext | None) -> Answer:
    """Send one request, without a token, and see who answers."""
    named = f"[{target.host}]" if ":" in target.host else target.host
    request = (
        f"GET {target.prefix}{_PATH} HTTP/1.1\r\nHost: {named}:{target.port}\r\nUser-Agent: wxasset-doctor\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    try:
        async with _open(address, target.port, tls, target.host) as (reader, writer):
            begun, now = time.perf_counter(), time.time()
            writer.write(request.encode())
            head, body = await _within(_answer(reader))
            took = time.perf_counter() - begun
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        return Answer(fault=_fault(error) if isinstance(error, OSError) else "it broke off")
    status, errcode = _STATUS.match(head), _ERRCODE.search(body)
    headers = BytesHeaderParser().parsebytes(head.partition(b"\r\n")[2])
    return Answer(
        status=int(status[1]) if status else None,
        errcode=int(errcode[1]) if errcode and status else None,
        date=_date(headers.get("Date")),
        now=now + took / 2,
        server=str(headers.get("Server") or ""),
        milliseconds=took * 1000,
    )


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read the head of an answer, and of its body as much as is to be had: who answers may not keep to HTTP."""
    head = await reader.readuntil(b"\r\n\r\n")
    length, body = _LENGTH.search(head), b""
    most = min(_MOST, int(length[1])) if length else _MOST
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE / 2):
            while len(body) < most and not _ERRCODE.search(body) and (piece := await reader.read(_MOST)):
                body += piece
    return head, body


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None
