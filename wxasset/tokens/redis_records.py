"""Token records and leases as Redis keeps them: scripts that run as a whole, and the values of keys."""

import logging
import math
import time
from typing import Any, Final, cast

from wxasset.tokens.records import TokenRecord, parse_document
from wxasset.tokens.redis_client import send_command

__all__ = ["ForeignValueError", "give_back", "load", "look", "save", "take"]

_log: Final = logging.getLogger("wxasset.tokens")

_AFTERLIFE: Final = 3600.0
"""Seconds for which a record outlives its token, so that its version is still there to be counted on."""
_LONG: Final = 10 * 365 * 86400.0  # seconds; Redis refuses a life that ends beyond its calendar

_TAKE: Final = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return redis.call('INCR', KEYS[2])
end
return 0
"""
# Returns the fence, or 0, and the record: the lease is taken where the record is the one that was seen before.
_LOOK: Final = """
local kept = redis.call('GET', KEYS[1])
if (kept or '') == ARGV[3] and redis.call('SET', KEYS[3], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {redis.call('INCR', KEYS[2]), kept}
end
return {0, kept}
"""
_GIVE_BACK: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""
# Returns 1 if the record was saved, 0 if the lease has another holder, and else the kept value that forbids it.
# Lua counts in doubles: a comparison that is true is exact, one that is false is repeated in Python, which also decides
# about all other values. It then passes a value that may be replaced.
_SAVE: Final = """
local fence = tonumber(ARGV[3])
if fence and fence < (tonumber(redis.call('GET', KEYS[2])) or 0) then
  return 0
end
local kept = redis.call('GET', KEYS[1])
if kept and kept ~= ARGV[5] then
  local readable, record = pcall(cjson.decode, kept)
  if not (readable and type(record) == 'table' and type(record.version) == 'number'
      and type(record.token) == 'string' and type(record.mode) == 'string' and type(record.expires) == 'number'
      and tonumber(ARGV[2]) > record.version) then
    return kept
  end
end
if ARGV[4] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
end
if ARGV[6] and redis.call('GET', KEYS[3]) == ARGV[6] then
  redis.call('DEL', KEYS[3])
end
return 1
"""


class ForeignValueError(Exception):
    """A key with a value of another program."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the key {name} exists, but was not written by wxasset")


async def load(client: Any, name: str) -> TokenRecord | None:
    """Return the record of a key; None if it is missing or damaged.

    Raises:
        ForeignValueError: The value was not written by this package.
    """
    data = await _command(client, name, "GET", name)
    return None if data is None else _parsed(data, name)


async def look(
    client: Any, names: list[str], owner: str, milliseconds: int, known: object
) -> tuple[int, bytes | None, TokenRecord | None]:
    """Look at a record, and take the lease if the record has not changed; return the fence or 0, and the record.

    Args:
        client: The client.
        names: The keys of the record, the fence and the lease.
        owner: A random name of the holder.
        milliseconds: Lifetime of the lease.
        known: The bytes of the record as they were seen before; None for a missing one.

    Raises:
        ForeignValueError: The value was not written by this package.
    """
    fence, data = await _run(client, _LOOK, names, owner, milliseconds, cast("bytes | None", known) or b"")
    return int(fence), data, None if data is None else _parsed(data, names[0])


async def save(client: Any, names: list[str], record: TokenRecord, fence: int | None, owner: str | None = None) -> bool:
    """Save a record unless its version is not the highest, or the lease has another holder.

    Args:
        client: The client.
        names: The keys of the record and the fence, and that of the lease where an owner is given.
        record: The record.
        fence: The fence of the lease that is held; None without a lease.
        owner: The name of the holder, whose lease ends if the record is saved.

    Raises:
        ForeignValueError: The value was not written by this package.
    """
    limits = (record.version, "" if fence is None else fence, _life(record))
    holder = () if owner is None else (owner,)  # Redis takes ten arguments at most from who gave no password yet
    forbids: Any = b""
    while True:
        forbids = await _run(client, _SAVE, names, record.dump(), *limits, forbids, *holder)
        if not isinstance(forbids, bytes):
            return bool(forbids)
        kept = _parsed(forbids, names[0])
        if kept is not None and kept.version >= record.version:
            return False


async def take(client: Any, names: list[str], owner: str, milliseconds: int) -> int:
    """Take a lease if it is free and return its fence; else 0.

    Args:
        client: The client.
        names: The key of the lease, and that of the fence.
        owner: A random name of the holder.
        milliseconds: Lifetime of the lease.
    """
    return int(await _run(client, _TAKE, names, owner, milliseconds))


async def give_back(client: Any, name: str, owner: str) -> None:
    """Release a lease if it still has this owner."""
    await _run(client, _GIVE_BACK, [name], owner)


async def _run(client: Any, script: str, keys: list[str], *arguments: bytes | str | float) -> Any:
    return await _command(client, keys[0], "EVAL", script, len(keys), *keys, *arguments)


async def _command(client: Any, name: str, *arguments: bytes | str | float) -> Any:
    """Run a command; its response is bytes also where a borrowed client decodes."""
    try:
        return await send_command(client, *arguments, NEVER_DECODE=True)
    except Exception as error:
        if "WRONGTYPE" in str(error):
            raise ForeignValueError(name) from None
        raise


def _parsed(data: bytes, name: str) -> TokenRecord | None:
    try:
        return TokenRecord.parse(data)
    except ValueError:
        if not _is_own(data):
            raise ForeignValueError(name) from None
    _log.warning("the record %s in Redis cannot be read; the next one that is saved replaces it", name)
    return None


def _is_own(data: bytes) -> bool:
    """Return True for an empty value, and for a damaged record or one of a later version."""
    try:
        return not data.strip() or TokenRecord.is_named(parse_document(data))
    except (ValueError, RecursionError):
        return False


def _life(record: TokenRecord) -> int | str:
    """Return the milliseconds until Redis expires a record; an empty string for a permanent one."""
    left = record.expires - time.time()
    if record.refresh_token is not None or not math.isfinite(left) or left > _LONG:
        return ""
    return int((max(left, 0.0) + _AFTERLIFE) * 1000)
