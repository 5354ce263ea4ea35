"""Errors of failed requests, with messages of our own: those of aiohttp contain the URL, and with it the token."""

import os
import ssl
from typing import Final

import aiohttp
from yarl import URL

from wxasset.errors import ConnectError, TransferError, TransferTimeout, WxAssetError
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending

__all__ = ["FAULTS", "broken_exchange", "broken_link", "is_break", "reason"]

FAULTS: Final = (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError)
"""Exceptions raised by aiohttp for network errors."""


def broken_exchange(
    host: str | None, error: Exception, request: Request, sending: Sending | None, *, stale: bool
) -> BaseException:
    """Return the error for a failed request to the API."""
    path, stall = request.path, request.timeouts.stall
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return ConnectError(f"No connection to {host} for {path}: {reason(error)}.", path)
    if sending is not None and sending.stalled:
        return TransferTimeout(
            f"{host} took no byte of the upload to {path} for {stall:g} seconds.",
            path,
            outcome_unknown=sending.whole,
        )
    if sending is not None and sending.failure is not None:
        return sending.failure
    unknown = sending is None or sending.whole
    if isinstance(error, aiohttp.ServerTimeoutError):
        return TransferTimeout(f"{path} did not answer for {stall + request.grace:g} seconds.", path, unknown)
    if isinstance(error, TimeoutError):
        return TransferTimeout(f"{path} did not answer within the time limit of the call.", path, unknown)
    return TransferError(f"The connection to {path} broke: {reason(error)}.", path, unknown, stale)


def broken_link(error: Exception, url: URL, request: Request) -> WxAssetError:
    """Return the error for a failed download; links are signed, so the message must not contain them."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return ConnectError(f"No connection to {url.host} for {request.path}: {reason(error)}.", request.path)
    if isinstance(error, TimeoutError):
        return TransferTimeout(f"{url.host} did not answer in time for {request.path}.", request.path)
    return TransferError(f"The connection to {url.host} for {request.path} broke: {reason(error)}.", request.path)


def is_break(error: Exception) -> bool:
    """Return whether a connection broke before the first byte of the response, as an expired idle one does."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)  # else it is the incomplete response head
    return isinstance(error, aiohttp.ClientOSError)


def reason(error: BaseException) -> str:
    """Describe a network error without its message: messages of aiohttp can contain the URL."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
    if isinstance(cause, ssl.SSLError):
        # The errno of an SSLError is a number of OpenSSL.
        detail = getattr(cause, "verify_message", "")
        return f"TLS failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}{detail and f' ({detail})'}"
    if isinstance(cause, OSError) and cause.strerror and cause.errno:
        # asyncio puts addresses where the reason should be; the numbers of name resolution are below 0.
        return (os.strerror(cause.errno) if cause.errno > 0 else cause.strerror).lower()
    return {
        "ServerDisconnectedError": "the server closed it",
        "ClientConnectionResetError": "it was reset",
        "ClientPayloadError": "the body is not complete",
        "ConnectionTimeoutError": "timed out",
    }.get(type(error).__name__, type(error).__name__)
