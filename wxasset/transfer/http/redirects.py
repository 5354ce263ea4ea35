"""Requests to URLs sent by the server: on separate connections, without tokens, cookies or headers of the API."""

import socket
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import ResolveResult
from yarl import URL

from wxasset.errors import UnsafeURLError, UsageError
from wxasset.transfer.event_loop import LoopResource
from wxasset.transfer.http.errors import FAULTS, broken_exchange, broken_link
from wxasset.transfer.http.payload import Payload
from wxasset.transfer.http.reply import OK, REDIRECTS, Reply, at_most, raise_for_status
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending
from wxasset.wire.url_policy import DownloadPolicy, check_link, check_redirect, may_connect

__all__ = ["LinkClient", "disable_retries"]

_PARTIAL: Final = (206, 416)  # partial content, and range not satisfiable


class LinkClient:
    """Request URLs, with separate connections for each policy."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Set the headers of all requests."""
        self._headers = headers
        self._sessions = LoopResource("session", _new_sessions, _close_all)
        self._closed = False

    async def aclose(self) -> None:
        """Close the connections."""
        self._closed = True
        await self._sessions.aclose()

    @asynccontextmanager
    async def follow(
        self, link: str, policy: DownloadPolicy, request: Request, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Reply, None]:
        """Download a URL sent by the server; the response is open inside the block.

        Separate connections are used, without the cookies, token and headers of the API.

        Args:
            link: The URL.
            policy: The allowed URLs.
            request: The request, for the path in errors and the timeouts.
            headers: Additional headers, such as a Range.

        Raises:
            UnsafeURLError: The URL, or a redirect, is not allowed.
            RequestError: The request failed.
            HTTPStatusError: The status is not 200; with a Range header, 206 and 416 are accepted too.
        """
        url, limit = check_link(link, policy, request.path), request.limit()
        good = (OK, *_PARTIAL) if headers and hdrs.RANGE in headers else (OK,)
        for hop in range(policy.max_redirects + 1):
            response = await self._get(url, policy, request, limit, headers)
            try:
                reply = Reply(request, response, limit - time.monotonic())
                if response.status in REDIRECTS and hop < policy.max_redirects:
                    url = check_redirect(url, response.headers.get(hdrs.LOCATION), policy, request.path)
                    continue
                if response.status not in good:
                    await raise_for_status(reply, response.status)
                yield reply
                return
            finally:
                response.close()

    async def respond(
        self, url: URL, policy: DownloadPolicy, request: Request, sending: Sending | None, limit: float
    ) -> aiohttp.ClientResponse:
        """Post the body of a request to a checked URL, and wait for the response headers."""
        session = self._session_for(policy)
        failure: BaseException
        try:
            async with at_most(limit - time.monotonic()):
                return await session.post(
                    url,
                    data=request.body if sending is None else Payload(sending),
                    allow_redirects=False,
                    raise_for_status=False,
                    timeout=request.timeouts.client(request.grace),
                )
        except _Refused as refusal:
            failure = UnsafeURLError(f"{url.host} {refusal}.", request.path)
        except FAULTS as error:
            failure = broken_exchange(url.host, error, request, sending, stale=False)
        raise failure

    async def _get(
        self, url: URL, policy: DownloadPolicy, request: Request, limit: float, headers: Mapping[str, str] | None
    ) -> aiohttp.ClientResponse:
        session = self._session_for(policy)
        failure: BaseException
        try:
            async with at_most(limit - time.monotonic()):
                return await session.get(
                    url,
                    headers=headers,
                    allow_redirects=False,
                    raise_for_status=False,
                    timeout=request.timeouts.client(0.0),
                )
        except _Refused as refusal:
            failure = UnsafeURLError(f"{url.host} {refusal}.", request.path)
        except FAULTS as error:
            failure = broken_link(error, url, request)
        raise failure

    def _session_for(self, policy: DownloadPolicy) -> aiohttp.ClientSession:
        if self._closed:
            raise UsageError("The session is closed: use it inside its `async with`.")
        sessions = self._sessions.get()
        session = sessions.get(policy)
        if session is None:
            session = sessions[policy] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_Resolver(policy)),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Compression does not shrink video files, and an uncompressed body cannot be a decompression bomb.
                headers={**self._headers, hdrs.ACCEPT_ENCODING: "identity"},
            )
            disable_retries(session)
        return session


def _new_sessions() -> dict[DownloadPolicy, aiohttp.ClientSession]:
    return {}


async def _close_all(sessions: dict[DownloadPolicy, aiohttp.ClientSession]) -> None:
    while sessions:
        await sessions.popitem()[1].close()


class _Refused(Exception):
    """A host name resolved to a forbidden address."""


class _Resolver(aiohttp.ThreadedResolver):
    """Check addresses at connection time, regardless of earlier resolutions of the name."""

    def __init__(self, policy: DownloadPolicy) -> None:
        super().__init__()
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        if not all(may_connect(one["host"], self._policy) for one in found):
            raise _Refused("is not a public address")
        return found


def disable_retries(session: aiohttp.ClientSession) -> None:
    """Keep aiohttp from repeating a GET on its own, beyond the attempts of the retry policy."""
    session._retry_connection = False  # noqa: SLF001 - there is no public option; a test verifies it
