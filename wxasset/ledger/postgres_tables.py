"""The tables of a ledger in PostgreSQL. Each function is one query, or one transaction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, fields, frozen

from wxasset.errors import Hint, LedgerError
from wxasset.ledger.records import LedgerCounts, LedgerRow, LedgerState, UploadKey, storable
from wxasset.ledger.store import Page
from wxasset.ledger.transitions import Kept, Write

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = [
    "Found",
    "add",
    "counts",
    "find",
    "forget",
    "holds",
    "leave",
    "matching",
    "move",
    "page",
    "prepare",
    "read",
    "renew",
    "write",
]

_SCHEMA: Final = 2
_LOCK: Final = 0x77786C64  # "wxld": the key of the lock around the creation of the tables
_PAGE: Final = 500  # rows that are read at a time

_FIELDS: Final = tuple(one.name for one in fields(LedgerRow))
_COLUMNS: Final = ", ".join(_FIELDS)
_KEY: Final = ("appid", "realm", "type", "sha256", "described")
_NOW: Final = "extract(epoch FROM clock_timestamp())::float8"

_TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS wxasset_ledger (version integer NOT NULL);
INSERT INTO wxasset_ledger SELECT {_SCHEMA} WHERE NOT EXISTS (SELECT FROM wxasset_ledger);
CREATE SEQUENCE IF NOT EXISTS wxasset_fences;
CREATE TABLE IF NOT EXISTS wxasset_holders (id text PRIMARY KEY, until timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS wxasset_uploads (
    id bigint GENERATED ALWAYS AS IDENTITY,
    appid text NOT NULL,
    realm text NOT NULL,
    type text NOT NULL,
    sha256 text NOT NULL,
    described text NOT NULL,
    state text NOT NULL,
    filename text NOT NULL,
    size bigint NOT NULL,
    media_id text,
    url text,
    reconciled boolean NOT NULL,
    begun float8,
    ended float8,
    error text,
    errcode integer,
    holder text,
    fence bigint NOT NULL DEFAULT nextval('wxasset_fences'),
    PRIMARY KEY (sha256, type, described, appid, realm)
);
CREATE UNIQUE INDEX IF NOT EXISTS wxasset_uploads_by_id ON wxasset_uploads (id);
CREATE INDEX IF NOT EXISTS wxasset_uploads_by_media_id ON wxasset_uploads (media_id) WHERE media_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS wxasset_uploads_by_holder ON wxasset_uploads (holder) WHERE holder IS NOT NULL;
"""

_WANTED: Final = ", ".join(f"${number}::text[]" for number in range(1, len(_KEY) + 1))
_READ: Final = f"""
SELECT {_NOW} AS now,
       EXISTS (SELECT FROM wxasset_holders WHERE id = ${len(_KEY) + 1} AND until > clock_timestamp()) AS leased,
       upload.fence, upload.holder, extract(epoch FROM lease.until)::float8 AS until,
       {", ".join(f"upload.{name}" for name in _FIELDS)}
FROM unnest({_WANTED}) WITH ORDINALITY AS wanted ({", ".join(_KEY)}, place)
LEFT JOIN wxasset_uploads AS upload ON {" AND ".join(f"upload.{name} = wanted.{name}" for name in _KEY)}
LEFT JOIN wxasset_holders AS lease ON lease.id = upload.holder
ORDER BY place
"""
# A server may be told to lose the last commits in a crash; an upload that is under way is not among them.
_DURABLE: Final = """
WITH durable AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE now WHEN 'off' THEN 'on' ELSE now END, true)
    FROM current_setting('synchronous_commit') AS now
)
"""
_LEASED: Final = (
    "(new.holder IS NULL OR EXISTS (SELECT FROM wxasset_holders WHERE id = new.holder AND until > clock_timestamp()))"
)
_TYPES: Final = {
    "size": "bigint",
    "reconciled": "boolean",
    "begun": "float8",
    "ended": "float8",
    "errcode": "integer",
    "fence": "bigint",
}
_WRITTEN: Final = (*_FIELDS, "holder", "fence")
_ARRAYS: Final = ", ".join(f"${at}::{_TYPES.get(name, 'text')}[]" for at, name in enumerate(_WRITTEN, start=1))
_NEW: Final = f"unnest({_ARRAYS}) AS new ({', '.join(_WRITTEN)})"
# In one order, or two processes would wait for each other.
_INSERT: Final = f"""{_DURABLE}
INSERT INTO wxasset_uploads ({_COLUMNS}, holder)
SELECT {", ".join(f"new.{name}" for name in (*_FIELDS, "holder"))} FROM durable, {_NEW}
WHERE {_LEASED} ORDER BY {", ".join(f"new.{name}" for name in _KEY)}
ON CONFLICT (sha256, type, described, appid, realm) DO NOTHING RETURNING {", ".join(_KEY)}
"""
_UPDATE: Final = f"""{_DURABLE}
UPDATE wxasset_uploads AS upload
SET {", ".join(f"{name} = new.{name}" for name in (*_FIELDS, "holder") if name not in _KEY)},
    fence = nextval('wxasset_fences')
FROM durable, {_NEW}
WHERE {" AND ".join(f"upload.{name} = new.{name}" for name in _KEY)} AND upload.fence = new.fence AND {_LEASED}
RETURNING {", ".join(f"upload.{name}" for name in _KEY)}
"""


@frozen
class Found:
    """Input of a transition.

    Attributes:
        kept: The row, and its claim.
        now: The database's unix time in seconds.
        leased: True if the lease of this process is alive.
        fence: The number of the row's last write; None if there is no row.
    """

    kept: Kept
    now: float
    leased: bool
    fence: int | None


async def prepare(connection: "Connection", place: str) -> None:
    """Create the tables if there are none; refuse those of a later version; remove leases that nothing refers to.

    Raises:
        LedgerError: They are of a later version.
    """
    if await connection.fetchval("SELECT to_regclass('wxasset_ledger')") is None:
        async with connection.transaction():
            # Released with the transaction: poolers lend a session to others.
            await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
            await connection.execute(_TABLES)
    version = await _migrated(connection)
    if version != _SCHEMA:
        raise LedgerError(
            f"The ledger in PostgreSQL at {place} is of version {version}; this wxasset knows version {_SCHEMA}.",
            Hint("Update wxasset, or use another database.", "请升级 wxasset，或改用其他数据库。"),
        )
    await connection.execute(
        "DELETE FROM wxasset_holders AS lease WHERE until < clock_timestamp() - interval '1 hour'"
        " AND NOT EXISTS (SELECT FROM wxasset_uploads WHERE holder = lease.id)"
    )


async def _migrated(connection: "Connection") -> int:
    """Migrate tables of version 1, which have no error codes; return their version."""
    version: int = await connection.fetchval("SELECT version FROM wxasset_ledger")
    if version != 1:
        return version
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        await connection.execute("ALTER TABLE wxasset_uploads ADD COLUMN IF NOT EXISTS errcode integer")
        await connection.execute(f"UPDATE wxasset_ledger SET version = {_SCHEMA} WHERE version = 1")
    return _SCHEMA


async def renew(connection: "Connection", holder: str, lease: float) -> None:
    """Renew a lease, or take it."""
    await connection.execute(
        "INSERT INTO wxasset_holders VALUES ($1, clock_timestamp() + $2::float8 * interval '1 second')"
        " ON CONFLICT (id) DO UPDATE SET until = excluded.until",
        holder,
        lease,
    )


async def leave(connection: "Connection", holder: str) -> None:
    """Release all claims, and end the lease; uploads being sent become unknown."""
    async with connection.transaction():
        await connection.execute(
            f"UPDATE wxasset_uploads SET holder = NULL, fence = nextval('wxasset_fences'),"
            f" ended = coalesce(ended, {_NOW}),"
            " state = CASE state WHEN 'in flight' THEN 'unknown' ELSE state END WHERE holder = $1",
            holder,
        )
        await connection.execute("DELETE FROM wxasset_holders WHERE id = $1", holder)


async def read(connection: "Connection", keys: Sequence[UploadKey], holder: str) -> list[Found]:
    """Return what is kept of some uploads, as the process with a lease sees it."""
    return [_found(one, holder) for one in await connection.fetch(_READ, *_columns(_KEY, keys), holder)]


def _found(found: Any, holder: str) -> Found:
    now = found["now"]
    if found["fence"] is None:
        return Found(Kept(), now, found["leased"], None)
    owner, until = found["holder"], found["until"]
    alive, mine = until is not None and until > now, owner == holder
    kept = Kept(
        row=_row(found),
        mine=mine,
        held=owner is not None and not mine and alive,
        lost_at=None if owner is None or alive else now if until is None else until,
    )
    return Found(kept, now, found["leased"], found["fence"])


async def write(connection: "Connection", writes: Sequence[tuple[Found, Write]], holder: str) -> list[UploadKey]:
    """Write rows, and return the keys of those written.

    One that was changed meanwhile is not written, nor one to be held where the lease has expired.
    """
    written = []
    for query, new in ((_INSERT, True), (_UPDATE, False)):
        some = [(found, one) for found, one in writes if (found.fence is None) is new]
        if some:
            holders = [holder if one.hold else None for _, one in some]
            values = _columns(_FIELDS, [_stored(one.row) for _, one in some])
            written += await connection.fetch(query, *values, holders, [found.fence for found, _ in some])
    return [UploadKey(**one) for one in written]


def _stored(row: LedgerRow) -> LedgerRow:
    """Escape what PostgreSQL does not store: one such text must not refuse the other rows of a group."""
    media_id, url = (None if text is None else storable(text) for text in (row.media_id, row.url))
    return row if (media_id, url) == (row.media_id, row.url) else evolve(row, media_id=media_id, url=url)


def _columns(names: Sequence[str], rows: Sequence[object]) -> list[list[Any]]:
    return [[getattr(row, name) for row in rows] for name in names]


async def find(connection: "Connection", keys: Sequence[UploadKey]) -> dict[UploadKey, LedgerRow]:
    """Return the rows of many keys."""
    found = await connection.fetch(
        f"SELECT {_COLUMNS} FROM wxasset_uploads"
        f" JOIN unnest({_WANTED}) AS wanted ({', '.join(_KEY)}) USING ({', '.join(_KEY)})",
        *_columns(_KEY, keys),
    )
    rows = [_row(one) for one in found]
    return {row.key: row for row in rows}


async def matching(connection: "Connection", digests: Sequence[str]) -> list[LedgerRow]:
    """Return the rows with one of these hashes or marks."""
    query = f"SELECT {_COLUMNS} FROM wxasset_uploads WHERE sha256 = ANY($1::text[]) ORDER BY id"
    return [_row(one) for one in await connection.fetch(query, list(digests))]


async def holds(connection: "Connection", appid: str, realm: str, types: Sequence[str]) -> bool:
    """Return True if there is a row of one of these types of an account."""
    query = "SELECT EXISTS (SELECT FROM wxasset_uploads WHERE appid = $1 AND realm = $2 AND type = ANY($3::text[]))"
    return bool(await connection.fetchval(query, appid, realm, list(types)))


async def add(connection: "Connection", rows: Sequence[LedgerRow]) -> int:
    """Add rows without a claim, all or none; leave out those with a known key."""
    none = [None] * len(rows)
    return len(await connection.fetch(_INSERT, *_columns(_FIELDS, rows), none, none))


async def counts(connection: "Connection") -> LedgerCounts:
    """Count the uploads in each state."""
    found = await connection.fetch("SELECT state, count(*) FROM wxasset_uploads GROUP BY state")
    return LedgerCounts(**{state.replace(" ", "_"): count for state, count in found})


async def page(connection: "Connection", state: LedgerState | None, after: int) -> Page:
    """Return some rows."""
    found = await connection.fetch(
        f"SELECT id, {_COLUMNS} FROM wxasset_uploads WHERE id > $1 AND ($2::text IS NULL OR state = $2)"
        f" ORDER BY id LIMIT {_PAGE}",
        after,
        state,
    )
    return Page([_row(one) for one in found], found[-1]["id"] if found else after)


async def forget(connection: "Connection", media_id: str) -> int:
    """Remove the rows of a deleted material; return their number."""
    removed = await connection.fetch(
        "DELETE FROM wxasset_uploads WHERE media_id = $1 AND state = 'done' RETURNING 1", media_id
    )
    return len(removed)


async def move(connection: "Connection", old: str, new: str) -> None:
    """Move the rows of one realm to another; a row that is there already stays."""
    others = " AND ".join(f"other.{name} = upload.{name}" for name in _KEY if name != "realm")
    await connection.execute(
        "UPDATE wxasset_uploads AS upload SET realm = $2, fence = nextval('wxasset_fences') WHERE realm = $1"
        f" AND NOT EXISTS (SELECT FROM wxasset_uploads AS other WHERE other.realm = $2 AND {others})",
        old,
        new,
    )


def _row(found: Any) -> LedgerRow:
    return LedgerRow(**{name: found[name] for name in _FIELDS})
