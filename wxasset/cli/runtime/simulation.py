"""Run the simulator as a server, for programs in any language."""

import errno
import secrets
import shlex
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import anyio
from attrs import field, frozen

from wxasset.cli.runtime.interception import about_interception
from wxasset.cli.runtime.simulator_options import (
    AccountEntry,
    OptionsFile,
    account_entry,
    fault_entry,
    options_of,
    sentence,
)
from wxasset.errors import Hint, UsageError, WxAssetError
from wxasset.simulator import Simulator
from wxasset.simulator.interception.authority import InterceptionUnavailableError
from wxasset.simulator.option_documents import own_options
from wxasset.simulator.persistence.directory import DirectoryInUseError

__all__ = [
    "CannotListenError",
    "Plan",
    "Seeds",
    "address",
    "build",
    "cannot_listen",
    "control_token",
    "introduction",
    "read_secret",
    "serve",
]

_CONTROL_VARIABLE: Final = "WXASSET_CONTROL_TOKEN"


@frozen
class Plan:
    """Options, faults and accounts of a simulator.

    Attributes:
        file: Those of a file.
        flags: Options of the command line by name; they take precedence.
        faults: Fault rules of the command line.
        accounts: Further accounts of the command line.
    """

    file: OptionsFile
    flags: Mapping[str, object] = {}
    faults: Sequence[str] = ()
    accounts: Sequence[str] = ()


@frozen
class Seeds:
    """Credentials of the first account, and the seed for all others; None draws one."""

    appid: str | None = None
    secret: str | None = field(default=None, repr=False)
    seed: int | None = None


def build(
    plan: Plan,
    seeds: Seeds,
    *,
    host: str,
    port: int,
    public_url: str | None,
    control_token: str | None,
    state: Path | None,
    tls: ssl.SSLContext | bool,
    intercept: bool,
) -> Simulator:
    """Return a simulator, with its faults and accounts.

    Raises:
        UsageError: An option, a fault, an account, the public URL, the token or the state directory is invalid, or
            the package that issues certificates is not installed.
        StateInUseError: Another server uses the state directory.
    """
    faults = [*plan.file.faults, *map(fault_entry, plan.faults)]
    accounts = [*plan.file.accounts, *map(account_entry, plan.accounts)]
    options = options_of(plan.file, plan.flags)
    try:
        sim = Simulator(
            host=host,
            port=port,
            appid=seeds.appid,
            secret=seeds.secret,
            seed=secrets.randbits(64) if seeds.seed is None else seeds.seed,
            options=options,
            public_url=public_url,
            control_token=control_token,
            state=state,
            tls=tls,
            intercept=intercept,
        )
        for rule in faults:
            sim.fail(rule.endpoint, rule.fault, times=rule.times, after=rule.after)
        _add_accounts(sim, accounts)
    except DirectoryInUseError as error:
        raise StateInUseError(f"{str(error)[:1].upper()}{sentence(error)[1:]}") from None
    except InterceptionUnavailableError as error:
        raise UsageError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    except ValueError as error:
        raise UsageError(f"{str(error)[:1].upper()}{sentence(error)[1:]}") from None
    return sim


def _add_accounts(sim: Simulator, accounts: Sequence[AccountEntry]) -> None:
    """Add accounts; one kept in the state directory gets its new options.

    Raises:
        ValueError: An appid is taken, or a preset or an option is invalid.
    """
    kept = set(sim.accounts) - {sim.appid}
    for one in accounts:
        options = own_options(one.preset, one.options)
        if one.appid not in kept:
            sim.add_account(appid=one.appid, secret=one.secret, options=options)
            continue
        kept.remove(one.appid)
        if options is not None:
            sim.accounts[one.appid].options = options


def control_token(given: str | None, path: Path | None, environ: Mapping[str, str]) -> str | None:
    """Return the token for control: the one given, that of a file, or that of the environment; None without one.

    Raises:
        UsageError: It is given twice, or the file cannot be read.
    """
    if given is not None and path is not None:
        raise UsageError("--control and --control-file exclude each other; use one of them.")
    if path is not None:
        return read_secret(path)
    return given if given is not None else environ.get(_CONTROL_VARIABLE) or None


def address(sim: Simulator, *, show_secret: bool) -> dict[str, object]:
    """Return the address and the credentials for a program."""
    others = list(sim.accounts.values())[1:]
    return {
        "base_url": sim.url,
        "appid": sim.appid,
        "secret": sim.secret if show_secret else None,
        "controllable": sim.controllable,
        "accounts": [{"appid": one.appid, "secret": one.secret} for one in others],
    }


def read_secret(path: Path) -> str:
    """Read a secret from a file; secrets are never passed as arguments.

    Raises:
        UsageError: The file cannot be read, or contains no secret.
    """
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "it is not UTF-8 text"
        raise UsageError(f"The secret in {path} cannot be read: {reason}.") from None
    if not secret or not secret.isprintable():
        raise UsageError(f"{path} must contain only the secret, on one line.")
    return secret


def introduction(sim: Simulator, secret_file: Path | None, variables: Mapping[str, str] = {}) -> list[str]:
    """Return shell commands with the address of the simulator, to configure a client."""
    # Its own secret is drawn for each run; the client needs it, so it is shown.
    secret = shlex.quote(sim.secret) if secret_file is None else f'"$(cat {shlex.quote(str(secret_file))})"'
    return [
        f"# The simulator listens on {sim.url} until Ctrl-C. Point a client at it with:",
        f"export WXASSET_BASE_URL={sim.url}",
        f"export WXASSET_APPID={shlex.quote(sim.appid)}",
        f"export WXASSET_SECRET={secret}",
        *(f"# Another account: {one.appid} with the secret {one.secret}" for one in list(sim.accounts.values())[1:]),
        *about_interception(sim, variables),
        *_about_faults(sim),
    ]


def _about_faults(sim: Simulator) -> list[str]:
    """Return an example of making calls fail over HTTP, if the simulator allows control."""
    if not sim.controllable:
        return []
    # This machine needs no token for control, by the address of the server itself.
    curl = "curl -k" if sim.local_url.startswith("https") else "curl"
    fault = """'{"endpoint": "add_material", "fault": "reset-after-commit"}'"""
    return [
        "# Make calls fail, and show the calls (all faults: python -c 'help(\"wxasset.simulator.faults\")'):",
        f"# {curl} -H 'Content-Type: application/json' -d {fault} {sim.local_url}/_sim/faults",
        f"# {curl} {sim.local_url}/_sim/journal",
    ]


class StateInUseError(WxAssetError):
    """Another simulator uses the state directory."""

    _hint = Hint("Stop it, or choose another directory.", "请先停止它，或选择其他目录。")


class CannotListenError(WxAssetError):
    """A server cannot listen on its address."""

    _hint = Hint(
        "Choose a free --port (0 for any) and, as --host, an address of this machine.",
        "请用 --port 选择空闲端口（0 表示任意），--host 须为本机地址。",
    )


async def serve(
    sim: Simulator,
    where: str,
    ready: Callable[[Mapping[str, str]], None],
    command: Sequence[str] = (),
    environ: Mapping[str, str] = {},
) -> int:
    """Serve until cancelled, or until the end of a command; return the status of the command.

    Args:
        sim: The simulator.
        where: Its host and port, for the message.
        ready: Function to call as soon as the simulator listens, with the variables of programs to intercept.
        command: A program and its arguments, to run with the address of the simulator in its environment.
        environ: The rest of its environment.

    Raises:
        CannotListenError: The simulator cannot listen on this address.
        OSError: The output of `ready` cannot be written, or the program cannot be started.
    """
    try:
        await sim.start()
    except OSError as error:
        raise cannot_listen(error, where) from None
    files = ExitStack()
    try:
        variables: Mapping[str, str] = {}
        if sim.intercepts:
            variables = await anyio.to_thread.run_sync(files.enter_context, sim.intercepted(environ))
        if command:
            return await _run(command, {**environ, **_variables(sim), **variables})
        # It prints: a pipe that nobody reads would hold up the server.
        await anyio.to_thread.run_sync(ready, variables)
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(files.close)
            await sim.close()
    return 0  # not reached


def _variables(sim: Simulator) -> dict[str, str]:
    # A program on this machine does not go through a proxy of the public URL.
    return {"WXASSET_BASE_URL": sim.local_url, "WXASSET_APPID": sim.appid, "WXASSET_SECRET": sim.secret}


async def _run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program on the terminal of this one, and end it if this one is stopped."""
    try:
        process = await anyio.open_process(list(command), env=environ, stdin=None, stdout=None, stderr=None)
    except OSError as error:
        raise UsageError(f"The program {command[0]!r} cannot be started: {error.strerror}.") from None
    try:
        status = await process.wait()
    except anyio.get_cancelled_exc_class():
        process.terminate()
        with anyio.CancelScope(shield=True):
            await process.wait()
        raise
    return status if status >= 0 else 128 - status


def cannot_listen(error: OSError | UnicodeError, where: str) -> CannotListenError:
    """Return the error for an address that cannot be bound."""
    if isinstance(error, UnicodeError):
        return CannotListenError(f"Cannot listen on {where}: the host is not a name.")
    if error.errno == errno.EADDRINUSE:
        return CannotListenError(f"{where} is already in use.")
    return CannotListenError(f"Cannot listen on {where}: {error.strerror or error}.")
