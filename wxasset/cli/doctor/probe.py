"""Connect to the API host step by step, directly and with the system's authorities, as wxasset does.

No secret is sent: a single request without a token, over plain HTTP or verified TLS.
"""

import asyncio
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from attrs import evolve

from wxasset.cli.doctor.network import Attempt, Network, Response
from wxasset.cli.doctor.tls import Certificate, Handshake, TrustStore, decode_certificate, parse_certificate

__all__ = ["inspect_host", "inspect_trust"]

_PATIENCE: Final = 5.0  # seconds for each step
_ADDRESSES: Final = 4  # connections; api.weixin.qq.com has about as many addresses
_MOST: Final = 64 * 1024  # bytes read of the response; WeChat's has about 300
_PATH: Final = "/cgi-bin/get_api_domain_ip"  # returns 41001 without a token (wire reference 0.5)
_IGNORED: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")  # read by other programs


def inspect_trust(environ: Mapping[str, str]) -> TrustStore:
    """Find the authorities trusted by this Python."""
    paths = ssl.get_default_verify_paths()  # None for a missing file or directory
    named = [environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(name)]
    place = paths.cafile or paths.capath
    missing = next((one for one in named if not Path(one).exists()), None)
    return TrustStore(
        present=missing is None and (bool(place) or sys.platform == "win32"),  # Windows keeps them in no file
        place=missing or place or paths.openssl_cafile,
        ignored=tuple(name for name in _IGNORED if environ.get(name)),
    )


async def inspect_host(base_url: str, trust: TrustStore) -> Network:
    """Resolve the host, connect to its addresses, verify TLS and make a request; stop at the first failure.

    Raises:
        ValueError: `base_url` is not an HTTP or HTTPS address.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an HTTP or HTTPS address")
    secure = parts.scheme == "https"
    found = await _resolve(Network(host=parts.hostname, port=parts.port or (443 if secure else 80), secure=secure))
    attempts = await asyncio.gather(*(_connect(one, found.port) for one in found.addresses[:_ADDRESSES]))
    found = evolve(found, attempts=tuple(attempts))
    if not found.reached:
        return found
    tls = await asyncio.to_thread(ssl.create_default_context)  # reads files
    if secure:
        found = evolve(found, handshake=await _handshake(found, tls, trust))
    if found.handshake is None or found.handshake.fault is None:
        found = evolve(found, response=await _request(base_url.rstrip("/") + _PATH, tls))
    return found


def _describe(error: BaseException) -> str:
    """Return the system's reason of an error, without addresses."""
    if isinstance(error, TimeoutError):
        return f"no response within {_PATIENCE:g} s"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


async def _resolve(found: Network) -> Network:
    begun, loop = time.perf_counter(), asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            infos = await loop.getaddrinfo(found.host, found.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return evolve(found, fault=_describe(error))
    addresses = tuple(dict.fromkeys(str(one[4][0]) for one in infos))
    return evolve(found, addresses=addresses, milliseconds=(time.perf_counter() - begun) * 1000)


async def _connect(address: str, port: int) -> Attempt:
    begun = time.perf_counter()
    try:
        async with _open(address, port):
            return Attempt(address=address, milliseconds=(time.perf_counter() - begun) * 1000)
    except OSError as error:
        return Attempt(address=address, fault=_describe(error))


@asynccontextmanager
async def _open(
    address: str, port: int, tls: ssl.SSLContext | None = None, host: str | None = None
) -> AsyncGenerator[asyncio.StreamWriter, None]:
    """Open a connection and abort it at the end."""
    async with asyncio.timeout(_PATIENCE):
        _, writer = await asyncio.open_connection(address, port, ssl=tls, server_hostname=host)
    try:
        yield writer
    finally:
        writer.transport.abort()


async def _handshake(found: Network, tls: ssl.SSLContext, trust: TrustStore) -> Handshake:
    address = next(one.address for one in found.attempts if one.fault is None)
    result = Handshake(now=time.time(), trust=trust)
    try:
        async with _open(address, found.port, tls, found.host) as writer:
            connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
            certificate = parse_certificate(connection.getpeercert() or {})
            return evolve(result, version=connection.version(), certificate=certificate)
    except ssl.SSLCertVerificationError as error:
        shown = await _refused_certificate(found, address)
        return evolve(result, code=error.verify_code, fault=error.verify_message, certificate=shown)
    except OSError as error:
        return evolve(result, fault=_describe(error))


async def _refused_certificate(found: Network, address: str) -> Certificate | None:
    """Fetch a refused certificate to show its fields; no data is sent over this connection."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        async with _open(address, found.port, tls, found.host) as writer:
            return decode_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b"")
    except OSError:
        return None


async def _request(url: str, tls: ssl.SSLContext) -> Response:
    """Make one request without a token."""
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    begun, now = time.perf_counter(), time.time()
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=tls)) as http,
            http.get(url, allow_redirects=False) as response,
        ):
            body = await _read(response)
            took = time.perf_counter() - begun
    except aiohttp.ClientResponseError:  # not HTTP
        return Response()
    except (aiohttp.ClientError, OSError) as error:
        return Response(fault=_describe(error))
    return Response(
        status=response.status,
        errcode=_errcode(body),
        date=_date(response.headers.get("Date")),
        now=now + took / 2,
        server=response.headers.get("Server", ""),
        milliseconds=took * 1000,
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.content.readexactly(_MOST)
    except asyncio.IncompleteReadError as error:
        return error.partial


def _errcode(body: bytes) -> int | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    code = document.get("errcode") if isinstance(document, dict) else None
    return code if isinstance(code, int) else None


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None
