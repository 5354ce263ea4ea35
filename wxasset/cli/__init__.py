"""The command line: `wxasset COMMAND`. Built on the public API; no other package imports it.

A command is a function in `commands`. It returns its exit status (`runtime.exit_codes`), works through
`runtime.runner`, and is registered here.
"""

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from cyclopts import App, CycloptsError, Group
from cyclopts.completion.detect import detect_shell

from wxasset import __version__
from wxasset.cli.commands.add import add_command, image_command
from wxasset.cli.commands.batch import batch_command
from wxasset.cli.commands.cloud import cloud
from wxasset.cli.commands.completion import Shell, completion_command, install_command
from wxasset.cli.commands.doctor import doctor_command
from wxasset.cli.commands.get import get_command
from wxasset.cli.commands.ledger import ledgers
from wxasset.cli.commands.library import count_command, ls_command, rm_command
from wxasset.cli.commands.media import media
from wxasset.cli.commands.quota import quota_command
from wxasset.cli.commands.simulate import demo_command, simulate_command
from wxasset.cli.commands.token import token_command
from wxasset.cli.commands.web import web_command
from wxasset.cli.runtime.console import output_console, prepare_output
from wxasset.cli.runtime.errors import note, tell
from wxasset.cli.runtime.exit_codes import CLOSED_PIPE, EXIT_CODES, Exit, exit_of
from wxasset.cli.runtime.help import epilogue, helped
from wxasset.cli.runtime.language import check_language
from wxasset.cli.runtime.output import drop_stdout, drop_unwritable, open_closed
from wxasset.cli.runtime.shells import corrected, load_in_zsh
from wxasset.errors import Hint, WxAssetError

__all__ = ["app", "run"]

_ENVIRONMENT: Final = """Environment:
  WXASSET_APPID, WXASSET_SECRET  the account, unless --account is given
  WXASSET_CREDENTIALS   the file with tables [NAME] of appid and secret;
                        ~/.config/wxasset/credentials.toml by default
  WXASSET_BASE_URL      the API host, such as a simulator
  WXASSET_CONTROL_TOKEN the token for control of `simulate` by other machines
  WXASSET_TOKEN_STORE   a file path or a redis:// address to share the token by
  XDG_STATE_HOME        the directory of the ledgers of `batch`;
                        ~/.local/state by default
  PGPASSWORD, PGPASSFILE the password of a --ledger in PostgreSQL
  WXASSET_LANG          language of hints, notes and findings: en or zh;
                        that of the locale by default
  HTTPS_PROXY, NO_PROXY the proxy, and the hosts to reach without it
  NO_COLOR              no colours
"""
_OPTIONS: Final = """Options of every command, after its name:
  --account NAME  -q, --quiet  -v, --verbose  --timeout SECONDS  --proxy URL  --json

Example: wxasset ls image --account shop --json
"""

_GROUPS: Final = ("Permanent materials", "Other files", "The account", "The simulator", "Other")
_LIBRARY, _FILES, _ACCOUNT, _SIMULATOR, _OTHER = (Group(name, sort_key=number) for number, name in enumerate(_GROUPS))


class _Program(App):
    """The program; its completion scripts are corrected."""

    def generate_completion(
        self, *, prog_name: str | None = None, shell: Literal["zsh", "bash", "fish", "powershell"] | None = None
    ) -> str:
        return corrected(super().generate_completion(prog_name=prog_name, shell=shell), shell or detect_shell())


app: App = _Program(
    name="wxasset",
    help="Tools of the wxasset SDK for WeChat media assets. Try: wxasset demo",
    help_epilogue=f"{_OPTIONS}\n{EXIT_CODES}\n{_ENVIRONMENT}",
    help_format="plaintext",
    console=output_console(),
    version=__version__,
    group_commands=_OTHER,
)


def _add(group: Group, name: str, command: Callable[..., int], example: str, *, usage: str | None = None) -> None:
    """Register a command.

    Args:
        group: The group in the overview.
        name: The name.
        command: The function; its docstring is the help text.
        example: Arguments of an example for the help text.
        usage: Arguments to show; those of the function by default.
    """
    app.command(
        helped(command),
        name=name,
        group=group,
        usage=usage and f"Usage: wxasset {name} {usage}",
        help_epilogue=epilogue(f"{name} {example}"),
    )


def _install(shell: Shell | None) -> Path:
    """Install the completion of a shell, and return the path of the script."""
    found = shell or detect_shell()
    path = app.install_completion(shell=found, add_to_startup=found != "zsh")
    if found == "zsh":
        load_in_zsh(path)
    return path


_add(_LIBRARY, "add", add_command, "poster.png greeting.mp3", usage="[TYPE] FILE... [OPTIONS]")
_add(_LIBRARY, "get", get_command, "MEDIA_ID -o downloads/", usage="MEDIA_ID... [OPTIONS]")
_add(_LIBRARY, "ls", ls_command, "image --all > images.tsv", usage="TYPE [OPTIONS]")
_add(_LIBRARY, "rm", rm_command, "MEDIA_ID --dry-run", usage="MEDIA_ID... [OPTIONS]")
_add(_LIBRARY, "count", count_command, "--json")
_add(_LIBRARY, "batch", batch_command, "posters/ --type image", usage="DIR|LIST|- --type TYPE [OPTIONS]")
_add(_FILES, "image", image_command, "poster.png", usage="FILE... [OPTIONS]")
ledgers.group = (_LIBRARY,)
app.command(ledgers)
media.group = cloud.group = (_FILES,)
app.command(media)
app.command(cloud)
_add(_ACCOUNT, "doctor", doctor_command, "> report.txt")
_add(_ACCOUNT, "quota", quota_command, "--account shop")
_add(_ACCOUNT, "token", token_command, "")
_add(_ACCOUNT, "web", web_command, "--read-only")
_add(_SIMULATOR, "demo", demo_command, "poster.png", usage="[OPTIONS] [FILE...]")
_add(_SIMULATOR, "simulate", simulate_command, "-- python start.py", usage="[OPTIONS] [-- COMMAND...]")
_add(_OTHER, "completion", completion_command(lambda shell: app.generate_completion(shell=shell)), "bash")
_add(_OTHER, "--install-completion", install_command(_install), "")


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; every expected failure is reported on stderr."""
    open_closed()
    prepare_output()
    as_json = "--json" in arguments
    try:
        check_language()
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
