"""Looks at the Redis in which tokens are shared; nothing is written to it."""

import time
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlsplit

from wxasset.cli.doctor.stores import RedisStore

__all__ = ["look_at_redis", "password_of", "place_of"]

_PATIENCE: Final = 3.0  # seconds for each command; one takes about 0.2 ms
_KINDS: Final = {
    "AuthenticationError": ("it refuses the password, or wants one", "password"),
    "AuthenticationWrongNumberOfArgsError": ("it wants a user as well as a password, or none", "password"),
    "ConnectionError": ("no connection", "connection"),
    "InvalidResponse": ("what answers there is no Redis", "other"),
    "NoPermissionError": ("the user may not run scripts", "script"),
    "TimeoutError": (f"no answer within {_PATIENCE:g} s", "timeout"),
    "ValueError": ("the address is none", "other"),
}


def password_of(url: str) -> str:
    """Take the password out of an address, so that it can be kept out of everything else."""
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def place_of(url: str) -> str:
    """Say where an address leads, without user and password."""
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError:
        return "?"
    return parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}:{port}"


def look_at_redis(url: str) -> RedisStore:
    """See whether Redis answers, lets us in, runs scripts and keeps what it is given; blocks, for a thread."""
    place = place_of(url)
    try:
        from redis import Redis  # noqa: PLC0415 - an extra
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError:
        return RedisStore(place=place, trouble="redis is not installed", kind="package")
    try:
        client: Any = Redis.from_url(
            url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0)
        )
        with closing(client):
            found = _look(client, place)
    except Exception as error:  # noqa: BLE001 - redis-py lets some through that are none of its own
        # By the class alone: the text may repeat what was sent.
        trouble, kind = _KINDS.get(type(error).__name__, (type(error).__name__, "other"))
        return RedisStore(place=place, trouble=trouble, kind=kind)
    return found


def _look(client: Any, place: str) -> RedisStore:
    begun = time.perf_counter()
    client.execute_command("PING")
    took = (time.perf_counter() - begun) * 1000
    client.execute_command("EVAL", "return 1", 0)
    told: dict[str, Any] = client.info()
    return RedisStore(
        place=place,
        version=str(told.get("redis_version", "")),
        role=str(told.get("role", "master")),
        policy=told.get("maxmemory_policy"),
        memory=int(told.get("maxmemory", 0)),
        milliseconds=took,
    )
