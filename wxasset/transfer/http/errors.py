"""Errors of failed requests, with messages of our own: those of aiohttp contain the URL, and with it the token."""

import os
import ssl
from typing import Final

import aiohttp

from wxasset.errors import ConnectError, TransferError, TransferTimeout
from wxasset.transfer.deadlines import SilenceError
from wxasset.transfer.http.observer import BrokenConnection, RequestObserver
from wxasset.transfer.http.proxies import place_of_proxy
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending

__all__ = ["FAULTS", "broken_exchange", "is_break", "reason"]

FAULTS: Final = (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError)
"""Exceptions raised by aiohttp for network errors."""

_SELF_SIGNED: Final = frozenset({18, 19})  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT and ..._SELF_SIGNED_CERT_IN_CHAIN
_FOR_GOOD: Final = frozenset({401, 403, 407})  # a proxy refuses the user or the host, whenever it is asked
_WORDS: Final = {
    "ServerDisconnectedError": "the server closed it",
    "ClientConnectionResetError": "it was reset",
    "ClientPayloadError": "the body is not complete",
    "ConnectionTimeoutError": "timed out",
    "ContentLengthError": "the body is not complete",
    "TransferEncodingError": "the chunks of the body are malformed",
    "ContentEncodingError": "the compressed body is malformed",
    "ClientResponseError": "the response is not valid HTTP",
    "HttpProcessingError": "the response is not valid HTTP",
    "BadStatusLine": "the response is not valid HTTP",
    "InvalidHeader": "a header of the response is malformed",
    "LineTooLong": "a header of the response is too long",
    "BadHttpMessage": "the response is not valid HTTP",
}


def broken_exchange(
    host: str | None, error: Exception, request: Request, sending: Sending | None, observer: RequestObserver
) -> BaseException:
    """Return the error for a failed request; URLs hold secrets, so the message does not contain them."""
    path, stall = request.path, request.timeouts.stall
    if isinstance(error, BrokenConnection):
        error = error.error
    if observer.waiting or isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return _no_connection(host, error, request, place_of_proxy(observer.proxy))
    if sending is not None and sending.stalled:
        return TransferTimeout(
            f"{host} took no byte of the upload to {path} for {stall:g} seconds.",
            path,
            outcome_unknown=sending.whole,
        )
    if sending is not None and sending.failure is not None:
        return sending.failure
    unknown = sending is None or sending.whole
    if isinstance(error, aiohttp.ServerTimeoutError | SilenceError):
        return TransferTimeout(f"{path} did not answer for {stall + request.grace:g} seconds.", path, unknown)
    if isinstance(error, TimeoutError):
        return TransferTimeout(f"{path} did not answer within the time limit of the call.", path, unknown)
    flood = request.meter.exceeded
    stale = observer.on_kept_connection and is_break(error) and not flood
    why = f"{request.meter.wire} bytes came without a response" if flood else reason(error)
    return TransferError(f"The connection to {path} broke: {why}.", path, unknown, stale)


def _no_connection(host: str | None, error: Exception, request: Request, proxy: str | None) -> ConnectError:
    path, where = request.path, f"{host} for {request.path}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        status = error.status
        return ConnectError(
            f"The proxy {proxy} refused to connect to {where}: HTTP status {status}.",
            path,
            proxy=proxy,
            status=status,
            permanent=status in _FOR_GOOD,
        )
    why = reason(error)
    if isinstance(error, TimeoutError):
        why = f"timed out after {request.timeouts.connect:g} seconds"
        if not isinstance(error, aiohttp.ClientError):
            why = "the time limit of the call was reached"
    permanent = isinstance(error, aiohttp.ClientConnectorCertificateError)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return ConnectError(f"No connection to the proxy {proxy} to reach {where}: {why}.", path, proxy=proxy)
    through = f" through the proxy {proxy}" if proxy else ""
    detail = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else None
    return ConnectError(
        f"No connection to {where}{through}: {why}.",
        path,
        proxy=proxy,
        permanent=permanent,
        self_signed=getattr(detail, "verify_code", None) in _SELF_SIGNED,
    )


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
    words = "the exchange failed"
    link: BaseException | None = error
    while link is not None:  # the first cause says what is malformed
        words = _WORDS.get(type(link).__name__, words)
        link = link.__cause__
    return words
