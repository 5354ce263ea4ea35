"""Clients of Redis: one for each event loop and process that uses it."""

import inspect
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import field, frozen

from wxasset.errors import UsageError
from wxasset.transfer.event_loop import LoopGuard, LoopResource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis.asyncio import Redis

__all__ = ["Connected", "RedisClient", "passes", "place_of", "require_redis", "send_command", "trouble_of"]

_TROUBLES: Final = {
    "AuthenticationError": "it refuses the password, or requires one",
    "AuthenticationWrongNumberOfArgsError": "it requires a user as well as a password, or neither",
    "ConnectionError": "no connection",
    "InvalidResponse": "the server is not Redis",
    "NoPermissionError": "the user lacks a permission",
}
"""Descriptions of errors by the names of their classes; their texts may repeat the command."""

_PASSING: Final = frozenset(
    {
        "BusyLoadingError",
        "ClusterDownError",
        "ConnectionError",
        "ConnectionRefusedError",
        "ConnectionResetError",
        "MasterDownError",
        "ReadOnlyError",
        "TimeoutError",
    }
)
"""Errors during a restart or a failover, by the names of their classes."""


@frozen(eq=False)
class Connected:
    """A client, and the semaphore that limits its concurrent commands."""

    client: "Redis" = field(repr=False)
    slots: anyio.Semaphore


class RedisClient:
    """A client opened at first use, or a borrowed one."""

    def __init__(self, name: str, *, url: str, client: "Redis | None", timeout: float, connections: int) -> None:
        """Prepare a client.

        Args:
            name: The name of the object that uses it, for errors.
            url: The address; unused with a client.
            client: A client to borrow; it serves one event loop, and is never closed.
            timeout: Seconds for any one command, connecting included.
            connections: Maximum number of concurrent commands.
        """
        self._borrowed = None if client is None else Connected(client, anyio.Semaphore(connections))
        self._guard = LoopGuard("redis.asyncio.Redis, passed as client=,")
        open_client = _opener(url, timeout)
        self._own = LoopResource(name, lambda: Connected(open_client(), anyio.Semaphore(connections)), _close)

    def get(self) -> Connected:
        """Return the client of the running loop.

        Raises:
            UsageError: Another running loop uses it; or a borrowed client was used in another loop or process.
        """
        if self._borrowed is None:
            return self._own.get()
        self._guard.require_same()
        return self._borrowed

    async def aclose(self) -> None:
        """Close the connections opened here."""
        await self._own.aclose()


async def _close(connected: Connected) -> None:
    await connected.client.aclose()


async def send_command(client: Any, *arguments: bytes | str | float, **options: bool) -> Any:
    """Send a command over a connection of the client's pool; a response is bytes or an integer.

    Monitoring agents wrap `redis.asyncio.Redis.execute_command`, and record keys and values: Sentry does so in
    breadcrumbs, OpenTelemetry in spans. A client without a pool, such as that of a cluster, still gets the command
    through this method, with `options`.
    """
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        return await client.execute_command(*arguments, **options)
    connection = await pool.get_connection()

    async def exchange() -> Any:
        await connection.send_command(*arguments)
        return await connection.read_response(disable_decoding=True)

    try:
        return await connection.retry.call_with_retry(exchange, lambda _: connection.disconnect())
    finally:
        await pool.release(connection)


def trouble_of(name: str, timeout: float) -> str:
    """Describe the failure of a command.

    Args:
        name: The name of the exception's class.
        timeout: Seconds that the command had.
    """
    return f"no answer within {timeout:g} s" if name == "TimeoutError" else _TROUBLES.get(name, name)


def passes(error: Exception) -> bool:
    """Return True for the error of a server that may be back in some seconds."""
    return type(error).__name__ in _PASSING


def require_redis(name: str) -> None:
    """Raise `UsageError` unless redis-py is installed."""
    try:
        import redis.asyncio  # noqa: F401, PLC0415 - an extra, imported by those who use it
    except ImportError:
        raise UsageError(f"{name} needs redis-py: pip install 'wxasset[redis]'.") from None


def place_of(url: str | None, client: "Redis | None") -> str | None:
    """Return the address of a URL or a client, without its password; None if the URL is invalid."""
    from redis.asyncio.connection import parse_url  # noqa: PLC0415 - the extra is there: it was looked for

    parts: Mapping[str, Any]
    if client is not None:
        parts = getattr(getattr(client, "connection_pool", None), "connection_kwargs", {})
        return parts.get("path") or (
            f"{parts['host']}:{parts.get('port', 6379)}" if "host" in parts else "the given client"
        )
    try:
        parts = parse_url(url or "")
    except (ValueError, TypeError, AttributeError):
        return None
    return parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}"


def _opener(url: str, timeout: float) -> "Callable[[], Redis]":
    """Return a function to open a client; a closure does not show the password."""
    from redis.asyncio import Redis  # noqa: PLC0415 - the extra is there: it was looked for
    from redis.asyncio.connection import AbstractConnection  # noqa: PLC0415
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    # The library is not announced: that takes two commands, and redis-py looks its version up on the disk.
    known = inspect.signature(AbstractConnection.__init__).parameters
    silent: dict[str, Any] = (
        {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}
    )

    def open_client() -> "Redis":
        return Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # a shorter greeting
            **silent,
        )

    return open_client
