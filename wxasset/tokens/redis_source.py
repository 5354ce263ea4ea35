"""Tokens kept in Redis by other software: read, never written."""

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from attrs import Attribute, define, field, frozen

from wxasset.errors import Hint, TokenUnavailableError, UsageError
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.redis_client import RedisClient, place_of, require_redis, send_command
from wxasset.tokens.token import Exchange, Token, is_placeholder, is_token
from wxasset.tokens.validation import TokenParameter, filled, is_async, is_life, is_same, parameter_name, positive

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisToken"]

_SCHEMES: Final = ("redis", "rediss", "unix")
_WAIT: Final = 2.0  # seconds for an answer of Redis, which takes milliseconds where all is well
_CONNECTIONS: Final = 16  # commands at once; a cache makes one
_MOST: Final = 16_384  # bytes; a token has up to 512 characters, and what is around it hardly more
_NESTED: Final = 3  # texts inside of texts

_NAMES: Final = ("access_token", "authorizer_access_token", "component_access_token", "accessToken")
_QUOTED: Final = re.compile(r"b?(['\"])(.*)\1", re.DOTALL)  # with b: what Python shows of bytes
_THINKPHP: Final = "think_serialize:"
_PHP_TEXT: Final = re.compile(r's:(\d{1,5}):"')
_PHP_ARRAY: Final = re.compile(r"a:\d{1,3}:\{")
_PHP_NAMED: Final = re.compile("|".join(rf's:{len(name)}:"{name}";s:(\d{{1,5}}):"' for name in _NAMES))
_FRAMES: Final[tuple[tuple[bytes, int], ...]] = (
    (b"\xac\xed\x00\x05t", 2),  # a string as Java's own serialization writes it
    (b"\x00\x00\x00\x02\x11", 1),  # a short string of igbinary, which symfony/cache uses where PHP has it
    (b"\x00\x00\x00\x02\x12", 2),  # a longer one
)
"""First bytes of a string, and the number of length bytes after them."""
_KRYO: Final = re.compile(rb"\x03\x01?([\xc0-\xff])([\x01-\x1f])")  # Redisson: its length + 1, in 6 bits and 7

# EasyWeChat 6 puts the AppSecret, 32 hexadecimal digits, into the name of its key.
_SECRET: Final = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32,}(?![0-9A-Fa-f])")

_ADDRESS: Final = "url has to be the address of a Redis: redis://host:6379/0, rediss://host:6379/0 or unix:///socket."
_KEYS: Final = Hint(
    "See that the other software runs, and that this is its key and its database: wechatpy:APPID_access_token"
    " (wechatpy), wx:access_token:APPID (WxJava), NAMESPACE:official_account.access_token.APPID.SECRET.0 (EasyWeChat).",
    "请确认对方程序在运行，且 key 与库号正确：wechatpy 为 wechatpy:APPID_access_token，"
    "WxJava 为 wx:access_token:APPID，EasyWeChat 为 命名空间:official_account.access_token.APPID.SECRET.0。",
)
_DOWN: Final = Hint(
    "Check that Redis is up and that address, password, database and permissions (GET, PTTL) are right.",
    "请检查 Redis 是否可用，以及地址、密码、库号和权限（GET、PTTL）是否正确。",
)
_STALE: Final = Hint(
    "Have the other software refresh its token, since it alone may; the next call here reads the key again.",
    "请让对方程序刷新 token（只有它可以刷新）；下次调用会重新读取该 key。",
)


def _shown(key: object) -> str:
    return _SECRET.sub("***", str(key))


def _url(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance, attribute
    if value is not None and not _is_redis_url(value):
        raise UsageError(_ADDRESS)


def _is_redis_url(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and port != 0


def _client(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    if value is not None and not is_async(getattr(value, "execute_command", None)):
        raise UsageError(f"{attribute.name}= has to be a redis.asyncio.Redis, not {type(value).__name__}.")


@conceals_arguments
@define(eq=False)
class RedisToken:
    """The token kept in Redis by wechatpy, WxJava or EasyWeChat, fetched by these programs.

    The key is only read, with GET and PTTL. It holds what they write: plain text, JSON, or what PHP or Java
    serialize; objects are never built from it.

    The key of EasyWeChat 6 contains the AppSecret. Errors and `repr` show it without; commands are sent below the
    method that Sentry and OpenTelemetry wrap, so that their breadcrumbs and spans do not have it. SLOWLOG, MONITOR and
    the log of a proxy in front of Redis do show the key: restrict them. The client of a cluster has no connection
    pool, and is called in the usual way: switch the Redis integration of an agent off there.

    Attributes:
        url: Address of the Redis, or None where a client is given.
        key: The whole name of the key, prefixes included. By default it is ``wechatpy:<appid>_access_token`` with
            wechatpy, ``wx:access_token:<appid>`` with WxJava's starter, and with EasyWeChat 6 on symfony/cache
            ``<namespace>:official_account.access_token.<appid>.<secret>.<0, or 1 for the stable token>``. WxJava keeps
            the token of a third-party platform in ``wechat_component_access_token:<appid>``.
        client: A `redis.asyncio.Redis` to borrow; it is never closed here.
        lifetime: Seconds between two reads of Redis; fewer if the key expires earlier.
        parameter: The query parameter of the token; ``component_access_token`` for calls of a third-party platform.
    """

    url: str | None = field(validator=_url, repr=False)
    key: str = field(validator=filled("it is the name under which the other software keeps its token."), repr=_shown)
    client: "Redis | None" = field(default=None, validator=_client, kw_only=True, repr=False)
    lifetime: float = field(default=30.0, validator=positive, kw_only=True)
    parameter: TokenParameter = field(default="access_token", validator=parameter_name, kw_only=True)
    _redis: RedisClient = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if (self.url is None) == (self.client is None):
            raise UsageError("RedisToken takes one of url and client=: a Redis to open, or one to borrow.")
        require_redis("RedisToken")
        if place_of(self.url, self.client) is None:
            raise UsageError(_ADDRESS)
        self._redis = RedisClient(
            "RedisToken", url=self.url or "", client=self.client, timeout=_WAIT, connections=_CONNECTIONS
        )

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Read the token.

        Raises:
            TokenUnavailableError: Redis cannot be asked, there is no such key, it holds no token, or it still holds
                the one that WeChat refused.
        """
        del exchange
        found = await self._read()
        if not isinstance(found, Token):
            raise TokenUnavailableError(f"The Redis key {_shown(self.key)} {found.problem}.", found.remedy)
        if rejected and is_same(found, previous):
            raise TokenUnavailableError(
                f"The Redis key {_shown(self.key)} still holds the very token that WeChat refused.", _STALE
            )
        return found

    async def aclose(self) -> None:
        """Close the connections opened here."""
        await self._redis.aclose()

    async def _read(self) -> "Token | _Nothing":
        connected = self._redis.get()
        try:
            # In this order: where the key is replaced in between, the new token gets the shorter life of the old one.
            left = await send_command(connected.client, "PTTL", self.key)
            value = await send_command(connected.client, "GET", self.key)
        except Exception as error:  # noqa: BLE001 - redis-py is optional: what a client raises is not known here
            # Not its text, and not as a cause: its frames may hold the password.
            if "WRONGTYPE" in str(error):
                return _Nothing("holds no text", _KEYS)
            return _Nothing(f"could not be read ({type(error).__name__})", _DOWN)
        if value is None:
            return _Nothing("does not exist", _KEYS)
        text = token_in(value) if isinstance(value, str | bytes) else None
        if text is None:
            return _Nothing("holds no token", _KEYS)
        if not isinstance(left, int):  # what answers there is no Redis
            return _Nothing("has no lifetime", _DOWN)
        life = min(self.lifetime, max(left, 1) / 1000) if left == 0 or is_life(left) else self.lifetime
        return Token(value=text, expires_in=life, parameter=self.parameter)


@frozen
class _Nothing:
    """Why there is no token."""

    problem: str
    remedy: Hint


# What is in a value: pure.


def token_in(value: str | bytes) -> str | None:
    """Find the token in the value of other software; None without one."""
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    if len(data) > _MOST:
        return None
    # One character for each byte: PHP and Java count bytes, and a token is ASCII.
    return _find(_unframed(data).decode("latin-1"), _NESTED)


def _unframed(data: bytes) -> bytes:
    """Remove the header of Java or igbinary before a string, if its length agrees."""
    for head, size in _FRAMES:
        start = len(head) + size
        if data.startswith(head) and int.from_bytes(data[len(head) : start], "big") == len(data) - start:
            return data[start:]
    kryo = _KRYO.match(data)
    if kryo and (kryo[1][0] & 0x3F) + (kryo[2][0] << 6) - 1 == len(data) - kryo.end():
        return data[kryo.end() :]
    return data


def _find(text: str, depth: int) -> str | None:
    """Find the token in a string, possibly nested, as in PHP-serialized JSON."""
    text = text.strip().removeprefix(_THINKPHP)
    if is_token(text):
        return None if is_placeholder(text) else text
    inner = _inner(text) if depth else None
    return None if inner is None else _find(inner, depth - 1)


def _inner(text: str) -> str | None:
    """Return the text, or the named value, inside of a text."""
    if text.startswith(("{", '"')):
        return _in_json(text)
    if named := _PHP_ARRAY.match(text):
        return _php_text(text, _PHP_NAMED.search(text, named.end()))
    if text.startswith("s:"):
        return _php_text(text, _PHP_TEXT.match(text))
    quoted = _QUOTED.fullmatch(text)
    return quoted[2] if quoted else None


def _in_json(text: str) -> str | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(document, dict):
        document = next((document[name] for name in _NAMES if name in document), None)
    return document if isinstance(document, str) else None


def _php_text(text: str, start: "re.Match[str] | None") -> str | None:
    if start is None:
        return None
    end = start.end() + int(start[start.lastindex or 1])
    return text[start.end() : end] if text[end : end + 2] == '";' else None
