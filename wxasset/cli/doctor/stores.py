"""What was found of the places where tokens are shared: a file, or Redis. Pure."""

from typing import Final

from attrs import frozen

from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, warning
from wxasset.cli.doctor.programs import older
from wxasset.cli.runtime.hints import hint_for
from wxasset.errors import Hint, TokenRejectedError, WxAssetError

__all__ = ["NOT_GIVEN", "FileStore", "RedisStore", "SharedTrial", "judge_file", "judge_redis", "judge_shared"]

_REDIS: Final = "2.6.12"  # the first with SET key value NX PX, of which leases are made
NOT_GIVEN: Final = Hint("No token store is set (WXASSET_TOKEN_STORE).", "未设置 token 存储（WXASSET_TOKEN_STORE）。")


@frozen(kw_only=True)
class FileStore:
    """What was found of a file with tokens.

    Attributes:
        path: Where it is.
        error: Why wxasset cannot use it, as the store itself says; None where it can.
        missing: The directory, where that is missing.
        unwritable: The system's reason why nothing can be written to the directory; None where it can.
        unlocked: Why a lock cannot be had there; None where it can.
        held: Whether somebody held its lock all the time.
        filesystem: The type of the file system, where that is known.
    """

    path: str
    error: WxAssetError | None = None
    missing: str | None = None
    unwritable: str | None = None
    unlocked: str | None = None
    held: bool = False
    filesystem: str = ""


_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.s3fs", "ceph", "glusterfs"}
)


def judge_file(found: FileStore | None) -> Finding:
    """Judge a file with tokens; None where there is none."""
    if found is None:
        return skipped("store", NOT_GIVEN)
    evidence: dict[str, object] = {"path": found.path, "filesystem": found.filesystem}
    if found.missing is not None:
        return failed(
            "store",
            Hint(f"There is no directory {found.missing}.", f"目录 {found.missing} 不存在。"),
            Hint(f"Create it: mkdir -p -m 700 {found.missing}", f"请创建：mkdir -p -m 700 {found.missing}"),
            **evidence,
        )
    if found.error is not None:
        return failed(
            "store",
            Hint(found.error.message, f"token 文件不可用：{found.error.message}"),
            hint_for(found.error),
            **evidence,
        )
    if found.unwritable is not None:
        return failed(
            "store",
            Hint(
                f"Nothing can be written beside {found.path} ({found.unwritable}): a token is replaced as a"
                " whole file, and"
                " locks lie beside it.",
                f"无法在 {found.path} 所在目录写入（{found.unwritable}）：token 以整个文件替换，锁文件也在旁边。",
            ),
            Hint(
                "Give the directory to who runs this, on a file system that is not read-only, or choose another.",
                "请让运行者拥有该目录的写权限，且文件系统不能只读；或更换目录。",
            ),
            **evidence,
        )
    if found.unlocked is not None:
        return failed(
            "store",
            Hint(
                f"No lock can be had beside {found.path}: {found.unlocked}.",
                f"{found.path} 旁无法加锁：{found.unlocked}。",
            ),
            Hint("Choose a local file system, or Redis.", "请改用本地文件系统，或 Redis。"),
            **evidence,
        )
    return _usable_file(found, evidence)


def _usable_file(found: FileStore, evidence: dict[str, object]) -> Finding:
    if found.held:
        return warning(
            "store",
            Hint(f"Somebody held {found.path}.lock all the time.", f"{found.path}.lock 一直被其他进程占用。"),
            Hint(f"See who: fuser -v {found.path}.lock", f"请查看占用者：fuser -v {found.path}.lock"),
            **evidence,
        )
    if found.filesystem in _NETWORK:
        return warning(
            "store",
            Hint(
                f"{found.path} is on a network file system ({found.filesystem}), whose locks are not to be trusted.",
                f"{found.path} 位于网络文件系统（{found.filesystem}），其锁不可靠。",
            ),
            Hint("Use a local directory, or Redis for several hosts.", "请改用本地目录；多台主机请用 Redis。"),
            **evidence,
        )
    message = Hint(f"{found.path} can be read, written and locked.", f"{found.path} 可读、可写、可加锁。")
    return ok("store", message, **evidence)


@frozen(kw_only=True)
class RedisStore:
    """What was found of a Redis with tokens.

    Attributes:
        place: Where it is, without its password.
        trouble: Why it cannot be used; None where it can.
        kind: What kind of trouble: "package", "connection", "password", "timeout", "script" or "other".
        version: Its version.
        role: Whether it is a "master" or a "slave".
        policy: What it evicts when its memory is full; None where it does not say.
        memory: The most bytes that it keeps; 0 for no end.
        milliseconds: How long one command takes.
    """

    place: str
    trouble: str | None = None
    kind: str = "other"
    version: str = ""
    role: str = "master"
    policy: str | None = None
    memory: int = 0
    milliseconds: float = 0.0


_REDIS_REMEDIES: Final = {
    "package": Hint("Run: pip install 'wxasset[redis]'", "请执行：pip install 'wxasset[redis]'"),
    "connection": Hint(
        "Start it, or correct host and port; look at `bind`, protected-mode and firewalls.",
        "请启动 Redis 或更正主机和端口，并检查 bind、protected-mode 和防火墙。",
    ),
    "password": Hint(
        "Correct user and password in the address: redis://:PASSWORD@host:6379/0",
        "请更正地址中的用户名和密码：redis://:密码@host:6379/0",
    ),
    "timeout": Hint(
        "It accepts connections and does not answer: look whether a command blocks it (SLOWLOG), or swapping.",
        "能连接但不应答：请检查慢命令（SLOWLOG）或内存交换。",
    ),
    "script": Hint(
        "Allow the user GET, SET, DEL, INCR and EVAL on wxasset:token:* (ACL SETUSER).",
        "请用 ACL SETUSER 允许该用户对 wxasset:token:* 使用 GET、SET、DEL、INCR、EVAL。",
    ),
    "other": Hint("See whether it is a Redis, and its log.", "请确认对端是 Redis，并查看其日志。"),
}


def judge_redis(found: RedisStore | None) -> Finding:
    """Judge a Redis with tokens; None where there is none."""
    if found is None:
        return skipped("redis", NOT_GIVEN)
    evidence: dict[str, object] = {
        "place": found.place,
        "version": found.version,
        "role": found.role,
        "maxmemory_policy": found.policy,
        "ms": round(found.milliseconds, 1),
    }
    if found.trouble is not None:
        message = Hint(f"Redis at {found.place}: {found.trouble}.", f"Redis {found.place}：{found.trouble}。")
        return failed("redis", message, _REDIS_REMEDIES[found.kind], **evidence)
    if older(found.version, _REDIS):
        message = Hint(
            f"Redis {found.version} is too old: leases need {_REDIS}.",
            f"Redis {found.version} 过旧：租约需要 {_REDIS} 以上。",
        )
        return failed("redis", message, Hint("Upgrade Redis.", "请升级 Redis。"), **evidence)
    if found.role != "master":
        message = Hint(
            f"{found.place} is a replica: tokens cannot be written to it.",
            f"{found.place} 是只读副本，无法写入 token。",
        )
        return failed("redis", message, Hint("Give the address of the master.", "请填写主节点的地址。"), **evidence)
    if found.memory and found.policy not in (None, "noeviction"):
        return warning(
            "redis",
            Hint(
                f"It throws keys away when its memory is full ({found.policy}), tokens and the counters of leases too.",
                f"内存满时会淘汰键（{found.policy}），token 和租约计数也可能被淘汰。",
            ),
            Hint(
                "Set maxmemory-policy noeviction, or use an instance of its own.",
                "请设置 maxmemory-policy noeviction，或使用独立实例。",
            ),
            **evidence,
        )
    message = Hint(
        f"Redis {found.version} at {found.place} answers in {found.milliseconds:.1f} ms, and runs scripts.",
        f"Redis {found.version}（{found.place}）应答用时 {found.milliseconds:.1f} 毫秒，可执行脚本。",
    )
    return ok("redis", message, **evidence)


_OUTLIVES: Final = 60.0  # seconds; a token this near its end is refused for its age


@frozen(kw_only=True)
class SharedTrial:
    """What became of the tokens that are kept in a store.

    Attributes:
        mode: The kind of token: "stable" or "classic".
        left: Seconds of life that it should have, by its record.
        error: What WeChat message to a call with it; None where all was well.
    """

    mode: str
    left: float
    error: WxAssetError | None = None


def judge_shared(trials: tuple[SharedTrial, ...] | None) -> Finding:
    """Judge whether WeChat still takes the tokens that a store keeps; None where there is no store to look into."""
    if trials is None:
        return skipped("shared_token", NOT_GIVEN)
    living = [trial for trial in trials if trial.left > _OUTLIVES]
    if not living:
        why = Hint("The store keeps no token that should be valid now.", "存储中没有应当有效的 token。")
        return skipped("shared_token", why)
    evidence = {trial.mode: f"{trial.left:.0f} s left" for trial in living}
    for trial in living:
        if isinstance(trial.error, TokenRejectedError):
            message, remedy = _ended(trial)
            return failed("shared_token", message, remedy, errcode=trial.error.errcode, **evidence)
    unknown = [trial for trial in living if trial.error is not None]
    if unknown:
        why = Hint(
            f"WeChat could not be asked about it: {unknown[0].error.message if unknown[0].error else ''}",
            "未能向微信验证存储中的 token。",
        )
        return skipped("shared_token", why)
    modes = " and ".join(trial.mode for trial in living)
    message = Hint(f"WeChat takes the {modes} token of the store.", f"微信接受存储中的 token（{modes}）。")
    return ok("shared_token", message, **evidence)


def _ended(trial: SharedTrial) -> tuple[Hint, Hint]:
    code = getattr(trial.error, "errcode", "?")
    minutes = f"{trial.left / 60:.0f}"
    message = Hint(
        f"The {trial.mode} token of the store has {minutes} minutes left, and WeChat refuses it already"
        f" ({code}): somebody"
        " else has fetched a newer one.",
        f"存储中的 {trial.mode} token 还应有效 {minutes} 分钟，但微信已拒绝（{code}）：有其他程序获取了更新的 token。",
    )
    if trial.mode == "classic":
        return message, Hint(
            "Another program fetches /cgi-bin/token for this account, and each fetch ends the token before. Find it, or"
            " use the stable token (WxSession(appid, secret)), which no such fetch touches.",
            "有其他程序在为该账号调用 /cgi-bin/token，每次获取都会使之前的 token 失效。请找到它，或改用稳定版 token"
            "（WxSession(appid, secret)），两者互不影响。",
        )
    return message, Hint(
        "Another program forces the refresh (force_refresh), or the AppSecret was reset. wxasset fetches a new"
        " token at the"
        " next call.",
        "有其他程序强制刷新（force_refresh），或 AppSecret 已被重置。wxasset 会在下次调用时重新获取。",
    )
