"""Run the simulator as a server, for programs in any language."""

import errno
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio

from wxasset.errors import Hint, UsageError, WxAssetError
from wxasset.simulator import Simulator

__all__ = ["CannotListenError", "cannot_listen", "introduction", "read_secret", "serve"]


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


def introduction(sim: Simulator, secret_file: Path | None) -> list[str]:
    """Return shell commands with the address of the simulator, to configure a client."""
    # Its own secret is drawn for each run; the client needs it, so it is shown.
    secret = shlex.quote(sim.secret) if secret_file is None else f'"$(cat {shlex.quote(str(secret_file))})"'
    return [
        f"# The simulator listens on {sim.url} until Ctrl-C. Point a client at it with:",
        f"export WXASSET_BASE_URL={sim.url}",
        f"export WXASSET_APPID={shlex.quote(sim.appid)}",
        f"export WXASSET_SECRET={secret}",
        *_about_faults(sim),
    ]


def _about_faults(sim: Simulator) -> list[str]:
    """Return an example of making calls fail over HTTP, if the simulator allows control."""
    if not sim.controllable:
        return []
    fault = """'{"endpoint": "add_material", "fault": "reset-after-commit"}'"""
    return [
        "# Make calls fail, and show the calls (all faults: python -c 'help(\"wxasset.simulator.faults\")'):",
        f"# curl -H 'Content-Type: application/json' -d {fault} {sim.url}/_sim/faults",
        f"# curl {sim.url}/_sim/journal",
    ]


class CannotListenError(WxAssetError):
    """A server cannot listen on its address."""

    _hint = Hint(
        "Choose a free --port (0 for any) and, as --host, an address of this machine.",
        "请用 --port 选择空闲端口（0 表示任意），--host 须为本机地址。",
    )


async def serve(
    sim: Simulator, where: str, ready: Callable[[], None], command: Sequence[str] = (), environ: Mapping[str, str] = {}
) -> int:
    """Serve until cancelled, or until the end of a command; return the status of the command.

    Args:
        sim: The simulator.
        where: Its host and port, for the message.
        ready: Function to call as soon as the simulator listens.
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
    try:
        if command:
            return await _run(command, {**environ, **_variables(sim)})
        await anyio.to_thread.run_sync(ready)  # it prints: a pipe that nobody reads would hold up the server
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await sim.close()
    return 0  # not reached


def _variables(sim: Simulator) -> dict[str, str]:
    return {"WXASSET_BASE_URL": sim.url, "WXASSET_APPID": sim.appid, "WXASSET_SECRET": sim.secret}


async def _run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program on the terminal of this one, and end it if this one is stopped."""
    process = await anyio.open_process(list(command), env=environ, stdin=None, stdout=None, stderr=None)
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
