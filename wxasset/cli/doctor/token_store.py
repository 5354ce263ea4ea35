"""Check a token store: a file, a Redis, and the tokens kept in it."""

import os
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from anyio import to_thread
from attrs import frozen

from wxasset import FileTokenStore
from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, warning
from wxasset.cli.runtime.hints import hint_for
from wxasset.errors import Hint, TokenRejectedError, TokenStoreError, UsageError, WxAssetError
from wxasset.tokens.records import TokenRecord
from wxasset.tokens.redis_client import RedisClient, place_of, send_command, trouble_of
from wxasset.transfer.file_lock import FileLock
from wxasset.transfer.private_files import UnsafeFileError, shell_path

__all__ = ["FORCED", "SharedTrial", "inspect_redis", "inspect_token_file", "judge_error", "judge_redis", "judge_shared"]

# Files

_LOCK_PATIENCE: Final = 1.0  # seconds; saving a token holds the lock for about 0.5 ms
_POLL: Final = 0.02  # seconds
_RECORD: Final = TokenRecord(token="doctor", issued=0.0, expires=0.0, version=1, mode="stable")  # noqa: S106 - not a token
_DIRECTORY: Final = Hint(
    "Grant write permission to the current user, or choose another local directory, or Redis.",
    "请让运行者拥有该目录的写权限，或改用其他本地目录，或 Redis。",
)


async def inspect_token_file(place: str) -> Finding:
    """Check whether wxasset can use a file as token store; the file itself is not changed."""
    if "://" in place:
        shown = place.partition("://")[0] + "://..."  # the rest may contain a password
        return _refused(shown, UsageError("The token store is neither a file nor a redis:// address."))
    path = await to_thread.run_sync(Path(place).expanduser)
    if not await to_thread.run_sync(path.parent.is_dir):
        command = f"mkdir -p -m 700 {shell_path(path.parent)}"
        message = Hint(f"The directory {path.parent} does not exist.", f"目录 {path.parent} 不存在。")
        return failed("store", message, Hint(f"Create it: {command}", f"请创建：{command}"), path=str(path))
    try:
        await FileTokenStore(path).load("doctor")
    except (TokenStoreError, UsageError) as error:
        return _refused(str(path), error)
    trial = path.with_name(f".{path.name}.doctor-{secrets.token_hex(8)}")
    try:
        await FileTokenStore(trial, wait=0).save("doctor", _RECORD)
    except TokenStoreError as error:
        return _unusable_directory(path, error.message)
    finally:
        await to_thread.run_sync(lambda: shutil.rmtree(f"{trial}.d", ignore_errors=True))
    return await to_thread.run_sync(_inspect_locks, path)


def _refused(path: str, error: TokenStoreError | UsageError) -> Finding:
    message = Hint(error.message, f"token 文件不可用：{error.message}")
    return failed("store", message, hint_for(error), path=path)


def _unusable_directory(path: Path, why: str) -> Finding:
    message = Hint(
        f"Files in {path.parent} cannot be written, locked and replaced: {why}",
        f"无法在 {path.parent} 中写入、加锁或替换文件：{why}",
    )
    return failed("store", message, _DIRECTORY, path=str(path))


def _inspect_locks(path: Path) -> Finding:
    """Check the locks of all accounts."""
    for held in sorted(path.with_name(f"{path.name}.d").glob("*.lock")):
        try:
            free = _is_free(FileLock(held))
        except UnsafeFileError as error:
            return _refused(str(path), TokenStoreError(f"The token store {path} is not used: {error}.", error.remedy))
        except OSError as error:
            return _unusable_directory(path, f"{held}: {(error.strerror or str(error)).lower()}.")
        if not free:
            message = Hint(f"Another process held {held} for {_LOCK_PATIENCE:g} s.", f"{held} 一直被其他进程占用。")
            command = f"fuser -v {shell_path(held)}"
            remedy = Hint(f"Find the process: {command}", f"请查看占用者：{command}")
            return warning("store", message, remedy, path=str(path))
    return ok("store", Hint(f"{path} can be read, written and locked.", f"{path} 可读、可写、可加锁。"), path=str(path))


def _is_free(held: FileLock) -> bool:
    """Return whether a lock file is missing, or can be locked within a second."""
    deadline = time.monotonic() + _LOCK_PATIENCE
    while os.path.lexists(held.path) and not held.take():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    held.free()
    return True


# Redis

_COMMAND_PATIENCE: Final = 3.0  # seconds; a command takes about 0.2 ms
_INSTALL: Final = Hint("Run: pip install 'wxasset[redis]'", "请执行：pip install 'wxasset[redis]'")
_ADDRESS: Final = Hint("Correct it: redis://USER:PASSWORD@host:6379/0", "请更正：redis://用户名:密码@host:6379/0")
_OTHER: Final = Hint("Check whether the server is Redis, and its log.", "请确认对端是 Redis，并查看其日志。")
_REMEDIES: Final[Mapping[str, Hint]] = {
    "AuthenticationError": _ADDRESS,
    "AuthenticationWrongNumberOfArgsError": _ADDRESS,
    "ConnectionError": Hint(
        "Start Redis, or correct host and port; check `bind`, protected-mode and firewalls.",
        "请启动 Redis 或更正主机和端口，并检查 bind、protected-mode 和防火墙。",
    ),
    "NoPermissionError": Hint(
        "Allow the user GET, SET, DEL, INCR and EVAL on wxasset:token:* (ACL SETUSER).",
        "请用 ACL SETUSER 允许该用户对 wxasset:token:* 使用 GET、SET、DEL、INCR、EVAL。",
    ),
    "TimeoutError": Hint(
        "Redis accepts connections but does not respond: check for slow commands (SLOWLOG) and swapping.",
        "能连接但不响应：请检查慢命令（SLOWLOG）或内存交换。",
    ),
}
_NO_EVICTION: Final = Hint(
    "Set maxmemory-policy noeviction, or use a dedicated instance.",
    "请设置 maxmemory-policy noeviction，或使用独立实例。",
)


async def inspect_redis(url: str) -> Finding:
    """Check whether Redis responds, accepts the password, runs scripts and keeps its keys."""
    try:
        client = RedisClient("doctor", url=url, client=None, timeout=_COMMAND_PATIENCE, connections=1)
        place = place_of(url, None)
        if place is None:
            return failed("redis", Hint("Redis: the address is invalid.", "Redis 地址无效。"), _ADDRESS)
        connection: Any = client.get().client
    except ImportError:
        return failed("redis", Hint("redis is not installed.", "未安装 redis。"), _INSTALL)
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
    trouble = trouble_of(name, _COMMAND_PATIENCE)
    message = Hint(f"Redis at {place}: {trouble}.", f"Redis {place}：{trouble}。")
    return failed("redis", message, _REMEDIES.get(name, _OTHER), place=place)


def judge_redis(place: str, info: Mapping[str, Any], milliseconds: float) -> Finding:
    """Judge the output of INFO."""
    version, policy = str(info.get("redis_version", "")), info.get("maxmemory_policy")
    role, took = str(info.get("role", "master")), round(milliseconds, 1)
    evidence = {"place": place, "version": version, "role": role, "maxmemory_policy": policy, "ms": took}
    if role != "master":
        message = Hint(f"{place} is a replica: no token can be written.", f"{place} 是只读副本，无法写入 token。")
        return failed("redis", message, Hint("Use the address of the master.", "请填写主节点的地址。"), **evidence)
    if int(info.get("maxmemory", 0)) and policy not in (None, "noeviction"):
        message = Hint(
            f"Redis evicts keys when its memory is full ({policy}), including tokens and lease counters.",
            f"内存满时会淘汰键（{policy}），token 和租约计数也可能被淘汰。",
        )
        return warning("redis", message, _NO_EVICTION, **evidence)
    message = Hint(
        f"Redis {version} at {place} responds in {took} ms and runs scripts.",
        f"Redis {version}（{place}）响应用时 {took} 毫秒，可执行脚本。",
    )
    return ok("redis", message, **evidence)


# Tokens

_MARGIN: Final = 60.0  # seconds; a token this close to its expiry is not tried
FORCED: Final = Hint(
    "Another program forces its refresh, or the AppSecret was reset: look for force_refresh elsewhere.",
    "可能有其他程序在强制刷新（force_refresh），或 AppSecret 已被重置，请排查。",
)
"""Remedy for a stable token that WeChat rejects."""
_CLASSIC: Final = Hint(
    "Another program fetches /cgi-bin/token for this account; each fetch invalidates the previous token. Find the"
    " program, or use the stable token (WxSession(appid, secret)), unaffected by such fetches.",
    "有其他程序在为该账号调用 /cgi-bin/token，每次获取都会使之前的 token 失效。请找到它，或改用稳定版 token"
    "（WxSession(appid, secret)），两者互不影响。",
)


@frozen(kw_only=True)
class SharedTrial:
    """Result of a call with a stored token.

    Attributes:
        mode: Kind of token: "stable" or "classic".
        left: Seconds until expiry according to the store.
        error: The error of the call, or None.
    """

    mode: str
    left: float
    error: WxAssetError | None = None


def judge_shared(trials: Sequence[SharedTrial]) -> Finding:
    """Judge whether WeChat accepts the stored tokens."""
    living = [trial for trial in trials if trial.left > _MARGIN]
    if not living:
        return skipped("shared_token", Hint("The store contains no valid token.", "存储中没有应当有效的 token。"))
    evidence = {trial.mode: f"{trial.left:.0f} s left" for trial in living}
    for trial in living:
        if isinstance(trial.error, TokenRejectedError):
            code, minutes = trial.error.errcode, f"{trial.left / 60:.0f}"
            message = Hint(
                f"The stored {trial.mode} token expires in {minutes} minutes, but WeChat already rejects it ({code}).",
                f"存储中的 {trial.mode} token 还应有效 {minutes} 分钟，但微信已拒绝（{code}）。",
            )
            remedy = _CLASSIC if trial.mode == "classic" else FORCED
            return failed("shared_token", message, remedy, errcode=code, **evidence)
    error = next((trial.error for trial in living if trial.error is not None), None)
    if error is not None:
        why = Hint(f"The stored token could not be tried: {error.message}", "未能向微信验证存储中的 token。")
        return skipped("shared_token", why)
    modes = " and ".join(trial.mode for trial in living)
    message = Hint(f"WeChat accepts the stored token ({modes}).", f"微信接受存储中的 token（{modes}）。")
    return ok("shared_token", message, **evidence)
