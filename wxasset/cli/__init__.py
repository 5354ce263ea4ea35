"""The command line: `wxasset COMMAND`. Built on the public face; nothing imports it.

A command is a function in a module of its kind, which returns its exit status (`exits`), works through `work.perform`
or `work.run_report`, and is registered here.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number
from rich.text import Text

from wxasset import __version__
from wxasset.cli import consent, demo, simulate, view
from wxasset.cli.batch import batch_command
from wxasset.cli.cloud import cloud
from wxasset.cli.completion import completion_command
from wxasset.cli.doctor.command import doctor_command
from wxasset.cli.downloads import get_command
from wxasset.cli.exits import CLOSED_PIPE, EXIT_CODES, Exit, exit_of
from wxasset.cli.failures import note, tell
from wxasset.cli.judge import Outcome
from wxasset.cli.library import count_command, ls_command, rm_command
from wxasset.cli.output import drop_stdout
from wxasset.cli.plan import SAMPLES
from wxasset.cli.quota import quota_command
from wxasset.cli.signals import run_in_event_loop
from wxasset.cli.tokens import token_command
from wxasset.cli.uploads import add_command, image_command
from wxasset.cli.work import FLAG
from wxasset.errors import WxAssetError
from wxasset.simulator import Simulator, SimulatorOptions

__all__ = ["app", "run"]


app: App = App(
    name="wxasset",
    help="Tools of the wxasset SDK for WeChat media assets. Try: wxasset demo",
    help_epilogue=EXIT_CODES,
    help_format="plaintext",
    console=view.output_console(),
    version=__version__,
)

app.command(add_command, name="add")
app.command(get_command, name="get")
app.command(rm_command, name="rm")
app.command(ls_command, name="ls")
app.command(count_command, name="count")
app.command(image_command, name="image")
app.command(token_command, name="token")
app.command(cloud)
app.command(batch_command, name="batch", usage="Usage: wxasset batch DIR|LIST|- --type TYPE [OPTIONS]")
app.command(completion_command(lambda shell: app.generate_completion(shell=shell)), name="completion")
app.register_install_completion_command(help="Install completion for the shell that this runs in.")
app.command(doctor_command, name="doctor")
app.command(quota_command, name="quota")


@app.command(name="demo", usage="Usage: wxasset demo [OPTIONS] [FILE...]")
def demo_command(
    *files: Path,
    live: Annotated[bool, FLAG] = False,
    yes: Annotated[bool, FLAG] = False,
    env: str | None = None,
    fileid: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
) -> int:
    """Upload files, list, download and compare them, and delete them again.

    By default this happens on a simulator of its own, without any account or network.

    Args:
        files: Images, voices or videos; without any, the samples that come with the package.
        live: Use the real service, with WXASSET_APPID and WXASSET_SECRET from the environment.
        yes: With --live, do not ask before starting.
        env: With --live, the cloud environment that the files of --fileid are in.
        fileid: With --live, a cloud file to delete for good; can be given several times.
    """
    consent.check_options(live=live, yes=yes, env=env, fileids=fileid)
    if not live:
        return _finish(_go(partial(demo.simulated, files)))
    consent.check_variables(os.environ)
    host = consent.host(os.environ)
    where = f"{host} as {os.environ['WXASSET_APPID']}"
    if not yes and not consent.agreed(consent.question(where, len(files) or len(SAMPLES), len(fileid))):
        view.say(view.error_console(), "Nothing was sent.")
        return 1
    return _finish(_go(partial(demo.live, files, host=host, env=env, fileids=fileid)))


def _go(work: Callable[[demo.Desk], Awaitable[Outcome]]) -> Outcome | signal.Signals:
    """Go the round; what it says on the way is gone from the terminal afterwards."""
    errors = view.error_console()
    with tempfile.TemporaryDirectory(prefix="wxasset-") as scratch, errors.status("starting") as status:
        desk = demo.Desk(
            scratch=Path(scratch),
            announce=lambda text: status.update(Text(view.printable(text))),
            warn=partial(view.say, errors),
        )
        return run_in_event_loop(partial(work, desk))


def _finish(result: Outcome | signal.Signals) -> int:
    if isinstance(result, signal.Signals):
        note(f"Stopped by {result.name}.", as_json=False)
        return 128 + result
    view.show(result, view.output_console())
    return 0 if result.passed else 1


@app.command(name="simulate")
def simulate_command(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 0,
    host: str = "127.0.0.1",
    appid: str | None = None,
    secret_file: Path | None = None,
    description_in_query: Annotated[bool, FLAG] = False,
) -> int:
    """Serve the simulator until Ctrl-C or SIGTERM. It keeps everything in memory.

    Args:
        port: The port; 0 takes a free one.
        host: The address to listen on. Whoever can reach it can use the simulator.
        appid: The appid it knows; its own by default.
        secret_file: A file with the secret that goes with the appid; its own, which is no secret, by default.
        description_in_query: Take the description of a video from the query, where wechatpy sends it.
    """
    secret = simulate.read_secret(secret_file) if secret_file else None
    options = SimulatorOptions(description_in_query=description_in_query)
    sim = Simulator(host=host, port=port, appid=appid, secret=secret, options=options)

    def ready() -> None:
        output = view.output_console()
        for line in simulate.introduction(sim, secret_file):
            view.say(output, line)

    try:
        run_in_event_loop(partial(simulate.serve, sim, ready))
    except OSError as error:
        raise OSError(simulate.why_not(error, f"{host}:{port}")) from None
    return 0


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; every expected failure is told on stderr."""
    view.prepare_output()
    try:
        status: int | None = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except BrokenPipeError:  # of stdout; those of the network have become errors of this package
        drop_stdout()
        return CLOSED_PIPE
    except (CycloptsError, WxAssetError, OSError) as error:  # the last: a file that vanished on the way, a full disk
        tell(error, as_json="--json" in arguments)
        return Exit.USAGE if isinstance(error, CycloptsError) else exit_of(error)
    return status or 0  # help and version have none
