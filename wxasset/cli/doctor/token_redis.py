"""Check a Redis with shared tokens."""

import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from wxasset.cli.doctor.findings import Finding, failed, ok, warning
from wxasset.errors import Hint
from wxasset.tokens.redis_client import RedisClient, place_of, send_command

__all__ = ["inspect_redis", "judge_error", "judge_redis", "password_of"]

_PATIENCE: Final = 3.0  # seconds for each command; one takes about 0.2 ms
_PASSWORD: Final = Hint(
    "Correct user and password in the address: redis://:PASSWORD@host:6379/0",
    "请更正地址中的用户名和密码：redis://:密码@host:6379/0",
)
_OTHER: Final = Hint("Check whether the server is Redis, and its log.", "请确认对端是 Redis，并查看其日志。")
_TROUBLES: Final[Mapping[str, tuple[str, Hint]]] = {
    "ImportError": (
        "redis is not installed",
        Hint("Run: pip install 'wxasset[redis]'", "请执行：pip install 'wxasset[redis]'"),
    ),
    "AuthenticationError": ("it refuses the password, or requires one", _PASSWORD),
    "AuthenticationWrongNumberOfArgsError": ("it requires a user as well as a password, or neither", _PASSWORD),
    "ConnectionError": (
        "no connection",
        Hint(
            "Start Redis, or correct host and port; check `bind`, protected-mode and firewalls.",
            "请启动 Redis 或更正主机和端口，并检查 bind、protected-mode 和防火墙。",
        ),
    ),
    "InvalidResponse": ("the server is not Redis", _OTHER),
    "NoPermissionError": (
        "the user may not run scripts",
        Hint(
            "Allow the user GET, SET, DEL, INCR and EVAL on wxasset:token:* (ACL SETUSER).",
            "请用 ACL SETUSER 允许该用户对 wxasset:token:* 使用 GET、SET、DEL、INCR、EVAL。",
        ),
    ),
    "TimeoutError": (
        f"no response within {_PATIENCE:g} s",
        Hint(
            "Redis accepts connections but does not respond: check for slow commands (SLOWLOG) and swapping.",
            "能连接但不响应：请检查慢命令（SLOWLOG）或内存交换。",
        ),
    ),
    "ValueError": ("the address is invalid", _OTHER),
}


def password_of(url: str) -> str:
    """Return the password of an address, to redact it elsewhere."""
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


async def inspect_redis(url: str) -> Finding:
    """Check whether Redis responds, accepts the password, runs scripts and keeps its keys."""
    try:
        client = RedisClient("doctor", url=url, client=None, timeout=_PATIENCE, connections=1)
        place = place_of(url, None)
        if place is None:
            return judge_error("?", "ValueError")
        connection: Any = client.get().client
    except ImportError:
        return judge_error("?", "ImportError")
    try:
        begun = time.perf_counter()
        await send_command(connection, "EVAL", "return 1", "0")
        milliseconds = (time.perf_counter() - begun) * 1000
        return judge_redis(place, await connection.info(), milliseconds)
    except Exception as error:  # noqa: BLE001 - redis-py also raises exceptions of other packages
        return judge_error(place, type(error).__name__)  # the message may repeat the command
    finally:
        await client.aclose()


def judge_error(place: str, name: str) -> Finding:
    """Explain an exception by the name of its class."""
    trouble, remedy = _TROUBLES.get(name, (name, _OTHER))
    return failed("redis", Hint(f"Redis at {place}: {trouble}.", f"Redis {place}：{trouble}。"), remedy, place=place)


def judge_redis(place: str, info: Mapping[str, Any], milliseconds: float) -> Finding:
    """Judge the output of INFO."""
    version, policy = str(info.get("redis_version", "")), info.get("maxmemory_policy")
    role, took = str(info.get("role", "master")), round(milliseconds, 1)
    evidence = {"place": place, "version": version, "role": role, "maxmemory_policy": policy, "ms": took}
    if role != "master":
        message = Hint(f"{place} is a replica: no token can be written.", f"{place} 是只读副本，无法写入 token。")
        return failed("redis", message, Hint("Use the address of the master.", "请填写主节点的地址。"), **evidence)
    if int(info.get("maxmemory", 0)) and policy not in (None, "noeviction"):
        return warning(
            "redis",
            Hint(
                f"Redis evicts keys when its memory is full ({policy}), including tokens and lease counters.",
                f"内存满时会淘汰键（{policy}），token 和租约计数也可能被淘汰。",
            ),
            Hint(
                "Set maxmemory-policy noeviction, or use a dedicated instance.",
                "请设置 maxmemory-policy noeviction，或使用独立实例。",
            ),
            **evidence,
        )
    message = Hint(
        f"Redis {version} at {place} responds in {took} ms and runs scripts.",
        f"Redis {version}（{place}）响应用时 {took} 毫秒，可执行脚本。",
    )
    return ok("redis", message, **evidence)
