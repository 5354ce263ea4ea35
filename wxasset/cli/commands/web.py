"""Command `wxasset web`; Starlette and uvicorn are imported when it runs."""

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from wxasset.cli.runtime.console import error_console, say
from wxasset.cli.runtime.credentials import Credentials
from wxasset.cli.runtime.errors import note
from wxasset.cli.runtime.language import localized
from wxasset.cli.runtime.output import Output, json_line
from wxasset.cli.runtime.runner import FLAG, Options
from wxasset.cli.runtime.signals import run_in_event_loop
from wxasset.errors import Hint, TokenUnavailableError, UsageError

if TYPE_CHECKING:
    from wxasset.cli.web.site import Site

__all__ = ["web_command"]

_EXTRA: Final = {"starlette": "starlette", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}
_SHORTEST: Final = 12  # characters of a password: more than can be guessed over a network
_TRY: Final = Hint(
    " To try it without an account: wxasset web --simulate", "没有账号时可先试用：wxasset web --simulate"
)


def web_command(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8000,
    host: str = "127.0.0.1",
    password_file: Path | None = None,
    read_only: Annotated[bool, FLAG] = False,
    simulate: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Serve a page for the library until Ctrl-C: show, search, upload and delete materials in a browser.

    The page opens with the printed address, which has a one-time token; each token admits one browser. Example:
    wxasset web --read-only. JSON keys: url (with the token, or without one if there is a password), appid, host,
    simulated.

    Args:
        port: The port; 0 chooses a free port.
        host: The address to listen on. Other machines reach an address beyond loopback, so it requires a password.
        password_file: A file with a password of 12 characters or more, which opens the page instead of a token. Without
            TLS, by a proxy in front of this command, others on the network can read it.
        read_only: Refuse uploads and deletions.
        simulate: Use a new simulator instead of an account; its content is lost at the end.
        options: Options of every command.
    """
    _check_extra()
    from wxasset.cli.runtime.simulation import read_secret  # noqa: PLC0415 - it imports the simulator
    from wxasset.cli.web import server  # noqa: PLC0415 - the extra is checked first
    from wxasset.cli.web.door import Keys  # noqa: PLC0415 - the same

    password = None if password_file is None else _long(read_secret(password_file), password_file)
    if password is None and not server.is_loopback(host):
        raise UsageError(f"--host {host} is reachable from other machines: give a --password-file as well.")
    credentials = None if simulate else _credentials(options)
    listener = server.listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host.strip('[]') else host}:{listener.getsockname()[1]}/"
    telling = _Telling(address, as_json=options.json)
    serving = server.Serving(
        listener=listener,
        keys=Keys(telling.token, password),
        credentials=credentials,
        environ=os.environ,
        read_only=read_only,
        ready=partial(telling.ready, open_at_once=password is not None),
    )
    run_in_event_loop(serving.run, lambda _: serving.end())
    return 0


def _check_extra() -> None:
    """Raise `UsageError` if a package of the extra is missing."""
    missing = [name for module, name in _EXTRA.items() if find_spec(module) is None]
    if missing:
        raise UsageError(f"wxasset web needs {' and '.join(missing)}; run: pip install 'wxasset[web]'.")


def _long(password: str, path: Path) -> str:
    if len(password) < _SHORTEST:
        raise UsageError(f"The password in {path} has {len(password)} characters; use {_SHORTEST} or more.")
    return password


def _credentials(options: Options) -> Credentials:
    """Find the account; the error for a missing one names `--simulate`."""
    try:
        return options.credentials()
    except TokenUnavailableError as error:
        hint = error.hint
        raise TokenUnavailableError(
            error.message, Hint(hint.english + _TRY.english, hint.chinese + _TRY.chinese)
        ) from None


class _Telling:
    """Output of the command: the account, and each address with its token."""

    def __init__(self, address: str, *, as_json: bool) -> None:
        self._address = address
        self._json = as_json
        self._site: Site | None = None

    def ready(self, site: "Site", *, open_at_once: bool) -> None:
        """Tell the account, and the address if a password opens it."""
        self._site = site
        if not self._json:
            one, simulated = site.credentials, site.controls is not None
            what = Hint("simulator", "模拟器") if simulated else Hint("live account", "真实账号")
            english = f"Library of {one.appid} at {one.host} ({what.english}). Stop with Ctrl-C."
            note(Hint(english, f"{one.appid} 的素材库（{one.host}，{what.chinese}）。按 Ctrl-C 停止。"), as_json=False)
        if open_at_once:
            self._tell(self._address, Hint("Open it with the password", "请用密码打开"))

    def token(self, token: str) -> None:
        """Tell the address with a new token."""
        self._tell(f"{self._address}?token={token}", Hint("Open it in one browser", "请在一个浏览器中打开"))

    def _tell(self, url: str, how: Hint) -> None:
        if not self._json or self._site is None:
            say(error_console(), f"{localized(how)}: {url}")
            return
        one = self._site.credentials
        simulated = self._site.controls is not None
        Output.line(json_line({"url": url, "appid": one.appid, "host": one.host, "simulated": simulated}))
