"""The command line: `wxasset COMMAND`. Built on the public API; no other package imports it.

A command is a function in `commands`. It returns its exit status (`runtime.exit_codes`), works through
`runtime.runner`, and is registered here.
"""

import signal
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError

from wxasset import __version__
from wxasset.cli.commands.add import add_command, image_command
from wxasset.cli.commands.batch import batch_command
from wxasset.cli.commands.cloud import cloud
from wxasset.cli.commands.completion import completion_command, install_command
from wxasset.cli.commands.get import get_command
from wxasset.cli.commands.library import count_command, ls_command, rm_command
from wxasset.cli.commands.quota import quota_command
from wxasset.cli.commands.simulate import demo_command, simulate_command
from wxasset.cli.commands.token import token_command
from wxasset.cli.commands.web import web_command
from wxasset.cli.doctor.command import doctor_command
from wxasset.cli.runtime.console import output_console, prepare_output
from wxasset.cli.runtime.errors import note, tell
from wxasset.cli.runtime.exit_codes import CLOSED_PIPE, EXIT_CODES, Exit, exit_of
from wxasset.cli.runtime.help import helped
from wxasset.cli.runtime.language import check_language
from wxasset.cli.runtime.output import drop_stdout, drop_unwritable, open_closed
from wxasset.errors import Hint, WxAssetError

__all__ = ["app", "run"]

_ENVIRONMENT: Final = """Environment:
  WXASSET_LANG  language of hints, notes, questions and findings: en or zh; by default that of the locale
"""

app: App = App(
    name="wxasset",
    help="Tools of the wxasset SDK for WeChat media assets. Try: wxasset demo",
    help_epilogue=f"{EXIT_CODES}\n{_ENVIRONMENT}",
    help_format="plaintext",
    console=output_console(),
    version=__version__,
)

app.command(helped(add_command), name="add", usage="Usage: wxasset add [TYPE] FILE... [OPTIONS]")
app.command(helped(get_command), name="get", usage="Usage: wxasset get MEDIA_ID... [OPTIONS]")
app.command(helped(rm_command), name="rm", usage="Usage: wxasset rm MEDIA_ID... [OPTIONS]")
app.command(helped(ls_command), name="ls", usage="Usage: wxasset ls TYPE [OPTIONS]")
app.command(helped(count_command), name="count")
app.command(helped(image_command), name="image", usage="Usage: wxasset image FILE... [OPTIONS]")
app.command(helped(token_command), name="token")
app.command(cloud)
app.command(helped(batch_command), name="batch", usage="Usage: wxasset batch DIR|LIST|- --type TYPE [OPTIONS]")
app.command(helped(completion_command(lambda shell: app.generate_completion(shell=shell))), name="completion")
app.command(helped(install_command(lambda shell: app.install_completion(shell=shell))), name="--install-completion")
app.command(helped(doctor_command), name="doctor")
app.command(helped(quota_command), name="quota")
app.command(helped(simulate_command), name="simulate")
app.command(helped(web_command), name="web")
app.command(helped(demo_command), name="demo", usage="Usage: wxasset demo [OPTIONS] [FILE...]")


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
