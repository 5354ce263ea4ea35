"""Connections to PostgreSQL of one process and event loop, and their lease."""

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

import anyio

from wxasset.errors import Hint, LedgerError, UsageError
from wxasset.ledger import postgres_tables as tables
from wxasset.ledger.grouping import Grouped
from wxasset.ledger.postgres_changes import Asked, change_all
from wxasset.tokens.store import run_shielded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncpg import Connection

__all__ = ["OPENING", "Link", "connector", "place_of"]

T = TypeVar("T")
Connect: TypeAlias = "Callable[[int], Awaitable[Connection]]"

_log: Final = logging.getLogger("wxasset.ledger")

_ANSWER: Final = 10.0  # seconds for one connection or command, which take milliseconds
_FIRST_WAIT: Final = 0.05  # seconds before the second try, doubled each time,
_LAST_WAIT: Final = 1.0  # and up to this: a restart takes some seconds
OPENING: Final = 8.0  # seconds for which the opening of a ledger waits for a server that restarts
_CLOSING: Final = 1.0  # seconds for the end of a connection
_STATEMENTS: Final = 100  # prepared statements of a connection
_REMEDY: Final = Hint(
    "Check that PostgreSQL is up, and that the address, user, password and permissions are right.",
    "请检查 PostgreSQL 是否可用，以及地址、用户、密码和权限是否正确。",
)
_SCHEMES: Final = ("postgresql://", "postgres://")
_TROUBLE: Final = {
    "InvalidPasswordError": "it refuses the user or the password",
    "InvalidAuthorizationSpecificationError": "it refuses the user or the password",
    "InvalidCatalogNameError": "there is no such database",
    "InsufficientPrivilegeError": "the user may not do that",
    "TimeoutError": f"no answer within {_ANSWER:g} s",
    "ConnectionRefusedError": "no connection",
    "FileNotFoundError": "no connection",
    "gaierror": "the host name is unknown",
}


def connector(dsn: str | None) -> Connect:
    """Return a function to connect; a closure does not show the DSN.

    Raises:
        UsageError: asyncpg is not installed, or the DSN is invalid.
    """
    if dsn is not None and not str(dsn).startswith(_SCHEMES):
        raise UsageError("PostgresStore needs a DSN such as postgresql://user@host:5432/database.")
    try:
        import asyncpg  # noqa: PLC0415 - an extra, imported by those who use it
    except ImportError:
        raise UsageError("PostgresStore needs asyncpg: pip install 'wxasset[postgres]'.") from None

    async def connect(statements: int) -> "Connection":
        return await asyncpg.connect(
            dsn,
            timeout=_ANSWER,
            command_timeout=_ANSWER,
            statement_cache_size=statements,
            server_settings={"application_name": "wxasset"},
        )

    return connect


def place_of(dsn: str | None) -> str:
    """Return the host and port of a DSN, without its other parts.

    Raises:
        UsageError: The DSN is invalid.
    """
    if dsn is None:
        return "the address of the environment"
    try:
        parts = urlsplit(dsn)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(
            "The DSN of PostgresStore is invalid: write special characters of a password as %40 or the like."
        ) from None
    return f"{host}:{port or 5432}" if host else "the given address"


class Link:
    """Connections that are opened as needed, and the lease of the process in the table of holders.

    Attributes:
        holder: The unique id of the lease.
        started: True once the lease is renewed in the background.
        changes: Transitions of rows, a group at a time.
    """

    def __init__(self, connect: Connect, place: str, *, lease: float, timeout: float, connections: int) -> None:
        """Prepare the connections; none is opened before the first use.

        Args:
            connect: Opens a connection with a number of prepared statements.
            place: The server, for errors.
            lease: Lifetime of the lease in seconds.
            timeout: Seconds for which a server that fails is tried again.
            connections: Maximum number of connections.
        """
        self.holder: str = secrets.token_hex(16)
        self.started: bool = False
        self.changes: Grouped[Asked, object] = Grouped(lambda group: change_all(self, group))
        self._connect, self._place, self._statements = connect, place, _STATEMENTS
        self._lease, self._timeout = lease, timeout
        self._slots = anyio.Semaphore(connections)
        self._idle: list[Connection] = []
        self._renewal: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take the lease, and renew it in the background."""
        self.started = True
        self._renewal = asyncio.get_running_loop().create_task(self._keep_lease())
        await self.renew()

    async def renew(self) -> None:
        """Renew the lease, or take it again after it expired."""
        await self.run(lambda connection: tables.renew(connection, self.holder, self._lease))

    async def _keep_lease(self) -> None:
        """Renew the lease each third of it; after a failure more often."""
        pause = self._lease / 3
        while True:
            await anyio.sleep(pause)
            pause = self._lease / 3
            try:
                # A connection that is cut while it is opened is reported by asyncpg as an error of the loop.
                await run_shielded(
                    self.run(lambda connection: tables.renew(connection, self.holder, self._lease), patience=0)
                )
            except LedgerError as error:
                _log.warning("The lease was not renewed: %s", error.message)
                pause = min(pause, _LAST_WAIT)

    async def run(self, work: "Callable[[Connection], Awaitable[T]]", *, patience: float | None = None) -> T:
        """Do some work with a connection, and again after failures that pass, for `patience` seconds.

        Raises:
            LedgerError: The server failed; the error names its host alone.
        """
        most, wait = self._timeout if patience is None else min(patience, self._timeout), _FIRST_WAIT
        until = time.monotonic() + most
        while True:
            try:
                async with self._slots:
                    return await self._use(work)
            except LedgerError:
                raise
            except Exception as error:  # noqa: BLE001 - described below, without its text
                trouble, passes = _TROUBLE.get(type(error).__name__, type(error).__name__), self._passes(error)
            if not passes or time.monotonic() + wait > until:
                # Outside of the handler: the frames of a chained error would show the DSN.
                raise LedgerError(f"PostgreSQL at {self._place} failed: {trouble}.", _REMEDY)
            if wait == 2 * _FIRST_WAIT:  # two failures in a row are no conflict
                _log.warning("PostgreSQL at %s failed (%s); trying again for up to %g s", self._place, trouble, most)
            await anyio.sleep(wait)
            wait = min(2 * wait, _LAST_WAIT)

    async def _use(self, work: "Callable[[Connection], Awaitable[T]]") -> T:
        connection = None
        while self._idle and connection is None:
            one = self._idle.pop()
            connection = None if one.is_closed() else one
        if connection is None:
            connection = await self._connect(self._statements)
        try:
            result = await work(connection)
        except BaseException:
            connection.terminate()
            raise
        self._idle.append(connection)
        return result

    def _passes(self, error: Exception) -> bool:
        """Return True if another try may succeed: after a restart, a failover, or a conflict."""
        import asyncpg  # noqa: PLC0415 - an extra, which is there

        if isinstance(
            error, asyncpg.InvalidSQLStatementNameError | asyncpg.DuplicatePreparedStatementError
        ):  # a pooler in transaction mode lends another connection for each transaction
            self._statements = 0
            return True
        return isinstance(
            error,
            OSError
            | asyncpg.PostgresConnectionError
            | asyncpg.InterfaceError
            | asyncpg.InternalClientError
            | asyncpg.exceptions.OperatorInterventionError
            | asyncpg.exceptions.InsufficientResourcesError
            | asyncpg.exceptions.TransactionRollbackError
            | asyncpg.ReadOnlySQLTransactionError,
        )

    async def aclose(self) -> None:
        """End the renewal, and close all connections; those of a cancelled caller are cut."""
        renewal, self._renewal = self._renewal, None
        try:
            if renewal is not None:
                renewal.cancel()
                await asyncio.wait([renewal])
            for connection in self._idle:
                with suppress(Exception):
                    await connection.close(timeout=_CLOSING)
        finally:
            for connection in self._idle:
                if not connection.is_closed():
                    connection.terminate()
            self._idle.clear()
