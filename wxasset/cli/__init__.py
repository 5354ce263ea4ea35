"""The command line: `wxasset COMMAND`. Built on the public API; no other package imports it.

A command is a function in `commands`. It returns its exit status (`runtime.exit_codes`), works through
`runtime.runner`, and stands in `commands.catalogue`.
"""

import signal
import sys
from collections.abc import Container, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from cyclopts import App, CycloptsError, Group

from wxasset import __version__
from wxasset.cli.commands.catalogue import COMMANDS, GROUPS, Command, used
from wxasset.cli.runtime.console import output_console, prepare_output
from wxasset.cli.runtime.errors import note, tell
from wxasset.cli.runtime.exit_codes import CLOSED_PIPE, EXIT_CODES, Exit, exit_of
from wxasset.cli.runtime.help import epilogue, helped
from wxasset.cli.runtime.language import check_language
from wxasset.cli.runtime.output import drop_stdout, drop_unwritable, open_closed
from wxasset.cli.runtime.programs import delimited
from wxasset.cli.runtime.shells import corrected, load_in_zsh
from wxasset.errors import Hint, WxAssetError

__all__ = ["program", "run"]

_ENVIRONMENT: Final = """Environment:
  WXASSET_APPID, WXASSET_SECRET  the account, unless --account is given
  WXASSET_CREDENTIALS   the file with tables [NAME] of appid and secret;
                        ~/.config/wxasset/credentials.toml by default
  WXASSET_BASE_URL      the API host, such as a simulator
  WXASSET_TOKEN_STORE   a file path or a redis:// address to share the token by
  XDG_STATE_HOME        the directory of the ledgers of `batch`;
                        ~/.local/state by default
  PGPASSWORD, PGPASSFILE the password of a --ledger in PostgreSQL
  WXASSET_CONTROL_TOKEN the token for control of a simulator by other machines
  WXASSET_LANG          language of hints, notes and findings: en or zh;
                        that of the locale by default
  HTTPS_PROXY, NO_PROXY the proxy, and the hosts to reach without it
  NO_COLOR              no colours
"""
_OPTIONS: Final = """Options of every command, after its name:
  --account NAME  -q, --quiet  -v, --verbose  --timeout SECONDS  --proxy URL  --json

Example: wxasset ls image --account shop --json
"""

_GROUPS: Final = {name: Group(name, sort_key=number) for number, name in enumerate(GROUPS)}


class _Program(App):
    """The program; its completion scripts are corrected."""

    def generate_completion(
        self, *, prog_name: str | None = None, shell: Literal["zsh", "bash", "fish", "powershell"] | None = None
    ) -> str:
        return corrected(super().generate_completion(prog_name=prog_name, shell=shell), shell or _detected())


def program(names: Container[str] | None = None) -> App:
    """Build the program.

    Args:
        names: The commands to import; the others have their texts in the overview alone. None for all of them.
    """
    app = _Program(
        name="wxasset",
        help="Tools of the wxasset SDK for WeChat media assets. Try: wxasset demo",
        help_epilogue=f"{_OPTIONS}\n{EXIT_CODES}\n{_ENVIRONMENT}",
        help_format="plaintext",
        console=output_console(),
        version=__version__,
        group_commands=_GROUPS[GROUPS[-1]],
    )
    for command in COMMANDS:
        if names is None or command.name in names:
            _add(app, command)
        else:
            app.command(App(command.name, help=command.summary, group=_GROUPS[command.group], version_flags=()))
    return app


def _add(app: App, command: Command) -> None:
    """Import a command and register it."""
    function: Any = command.load()
    if isinstance(function, App):
        function.group = (_GROUPS[command.group],)
        app.command(function)
        return
    if command.name == "completion":
        function = function(lambda shell: app.generate_completion(shell=shell))
    if command.name == "--install-completion":
        function = function(partial(_install, app))
    app.command(
        helped(function),
        name=command.name,
        group=_GROUPS[command.group],
        # After the name of a program the option is the program's, which cyclopts before 5 does not see.
        version_flags=() if command.name == "simulate" else ("--version",),
        usage=command.usage and f"Usage: wxasset {command.name} {command.usage}",
        help_epilogue=epilogue(f"{command.name} {command.example}"),
    )


def _detected() -> Any:
    """Return the name of the current shell."""
    from cyclopts.completion.detect import detect_shell  # noqa: PLC0415 - for completion alone

    return detect_shell()


def _install(app: App, shell: Any) -> Path:
    """Install the completion of a shell, and return the path of the script."""
    found = shell or _detected()
    path = app.install_completion(shell=found, add_to_startup=found != "zsh")
    if found == "zsh":
        load_in_zsh(path)
    return path


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; every expected failure is reported on stderr."""
    open_closed()
    prepare_output()
    as_json = "--json" in arguments
    try:
        check_language()
        app = program(used(arguments))
        if arguments and arguments[0] == "simulate":
            arguments = ["simulate", *delimited(app["simulate"], arguments[1:])]
        status: int | None = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except BrokenPipeError:  # of stdout; network failures are errors of this package
        drop_stdout()
        return CLOSED_PIPE
    except KeyboardInterrupt:  # at a question, for example; an event loop handles its own signals
        note(Hint("Stopped by SIGINT.", "已被 SIGINT 中止。"), as_json=as_json)
        return 128 + signal.SIGINT
    except (CycloptsError, WxAssetError, OSError) as error:  # the last: a vanished file, a full disk
        drop_unwritable()
        tell(error, as_json=as_json)
        return Exit.USAGE if isinstance(error, CycloptsError) else exit_of(error)
    return status or 0  # help and version have none
