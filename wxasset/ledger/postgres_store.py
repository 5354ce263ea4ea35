"""A ledger's store in PostgreSQL, for the processes of many hosts."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from wxasset.errors import LedgerError, UsageError
from wxasset.errors.frames import concealed
from wxasset.ledger import postgres_tables as tables
from wxasset.ledger.grouping import Grouped
from wxasset.ledger.postgres_link import OPENING, Link, connector, place_of
from wxasset.ledger.records import LedgerCounts, LedgerRow, LedgerState, UploadKey
from wxasset.ledger.store import Page
from wxasset.ledger.transitions import Change
from wxasset.tokens.store import run_shielded
from wxasset.transfer.event_loop import LoopResource
from wxasset.wire.checks import check_number

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresStore"]

T = TypeVar("T")

_log: Final = logging.getLogger("wxasset.ledger")
_LEAVING: Final = 5.0  # seconds to release the claims; without that they end with the lease


class PostgresStore:
    """A ledger's store in PostgreSQL, shared by the processes of many hosts.

    ::

        async with Ledger(PostgresStore("postgresql://ledger@db.example/uploads")) as ledger:
            ...

    Each process has a lease, which it renews in the background. A process that does not renew it, because it was
    killed, stopped or cut off, loses its claims to other processes: what it was sending is searched for in the library,
    and it sends nothing more under a claim that it lost. All times are those of the database.

    The tables have the prefix ``wxasset_`` and are created in the first schema of the search path. Connections are
    opened as needed, and again after the server was restarted; a pooler in transaction mode may stand between. Each
    event loop and process gets its own. Needs the extra ``postgres``: ``pip install 'wxasset[postgres]'``.
    """

    @concealed
    def __init__(
        self, dsn: str | None = None, *, lease: float = 15.0, timeout: float = 30.0, connections: int = 8
    ) -> None:
        """Name the database; it is connected when the ledger is opened.

        Args:
            dsn: ``postgresql://user@host:port/database``. What it leaves out, and with None everything, comes from the
                environment (``PGHOST``, ``PGPASSWORD``...) and from ``~/.pgpass``.
            lease: Seconds without a renewal after which other processes take over the claims of this one.
            timeout: Seconds for which a server that does not answer is waited for, such as during a restart; at most
                8 when the ledger is opened.
            connections: Maximum number of connections of this process.

        Raises:
            UsageError: asyncpg is not installed, or the DSN is invalid.
        """
        connect = connector(dsn)
        self._place = place_of(dsn)
        check_number("lease", lease, above=0)
        check_number("timeout", timeout, at_least=0)
        check_number("connections", connections, at_least=1, whole=True)
        self._open = False

        def link() -> Link:
            return Link(connect, self._place, lease=lease, timeout=timeout, connections=connections)

        self._link: LoopResource[Link] = LoopResource("PostgresStore", link, Link.aclose)
        self._found: Grouped[Sequence[UploadKey], Mapping[UploadKey, LedgerRow]] = Grouped(self._find)

    def __repr__(self) -> str:
        return f"PostgresStore(<{self._place}>)"

    async def open(self) -> None:
        """Connect, and create the tables if there are none; take a lease."""
        if self._open:
            raise UsageError(f"{self!r} is open already.")
        link = self._link.get()
        try:
            await run_shielded(link.run(lambda connection: tables.prepare(connection, self._place), patience=OPENING))
            await run_shielded(link.start())
        except BaseException:
            await self._link.aclose()
            raise
        self._open = True

    async def close(self) -> None:
        """Release all claims of this process, end its lease, and disconnect."""
        if not self._open:
            return
        self._open = False
        link = self._link.get()
        try:
            await run_shielded(link.run(lambda connection: tables.leave(connection, link.holder), patience=_LEAVING))
        except LedgerError as error:
            _log.warning("The claims of this process end with its lease: %s", error.message)
        finally:
            await self._link.aclose()

    async def change(self, key: UploadKey, change: Change, *, durable: bool = False) -> object:
        """Apply a transition: read the row, and write it unless its fence has moved; concurrent calls share queries."""
        del durable  # each commit is durable
        return await (await self._connected()).changes.ask((key, change))

    async def find(self, keys: Iterable[UploadKey]) -> Mapping[UploadKey, LedgerRow]:
        """Return the rows of many keys; concurrent calls share a query."""
        await self._connected()
        return await self._found.ask(list(keys))

    async def _find(self, group: Sequence[Sequence[UploadKey]]) -> Sequence[Mapping[UploadKey, LedgerRow]]:
        keys = list({key for wanted in group for key in wanted})
        found = await self._run(lambda connection: tables.find(connection, keys))
        return [{key: found[key] for key in wanted if key in found} for wanted in group]

    async def matching(self, digests: Sequence[str]) -> Sequence[LedgerRow]:
        """Return the rows with one of these hashes or marks."""
        return await self._run(lambda connection: tables.matching(connection, digests))

    async def holds(self, appid: str, realm: str, types: Sequence[str]) -> bool:
        """Return True if there is a row of one of these types of an account."""
        return await self._run(lambda connection: tables.holds(connection, appid, realm, types))

    async def add(self, rows: Sequence[LedgerRow]) -> int:
        """Add rows without a claim, all or none."""
        return await self._run(lambda connection: tables.add(connection, rows))

    async def page(self, state: LedgerState | None, after: object) -> Page:
        """Return some rows."""
        last = after if isinstance(after, int) else 0
        return await self._run(lambda connection: tables.page(connection, state, last))

    async def counts(self) -> LedgerCounts:
        """Count the uploads in each state."""
        return await self._run(tables.counts)

    async def forget(self, media_id: str) -> int:
        """Remove the rows of a deleted material."""
        return await self._run(lambda connection: tables.forget(connection, media_id))

    async def move(self, old: str, new: str) -> None:
        """Move the rows of one realm to another."""
        await self._run(lambda connection: tables.move(connection, old, new))

    async def _connected(self) -> Link:
        """Return the connections of the running loop; a loop after the first one gets a lease of its own."""
        if not self._open:
            raise UsageError(f"{self!r} is not open: async with Ledger(...) as ledger.")
        link = self._link.get()
        if not link.started:
            await run_shielded(link.start())
        return link

    async def _run(self, work: "Callable[[Connection], Awaitable[T]]") -> T:
        link = await self._connected()
        return await run_shielded(link.run(work))
