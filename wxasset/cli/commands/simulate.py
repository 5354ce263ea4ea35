"""`wxasset demo` and `wxasset simulate`, as they are registered: the simulator is imported when they are run."""

import os
import secrets
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from wxasset.cli.demo import table
from wxasset.cli.demo.checks import Outcome
from wxasset.cli.demo.plan import SAMPLES
from wxasset.cli.runtime import console as view
from wxasset.cli.runtime import prompts as consent
from wxasset.cli.runtime.errors import note
from wxasset.cli.runtime.output import Output, json_line
from wxasset.cli.runtime.report import Record
from wxasset.cli.runtime.runner import FLAG
from wxasset.cli.runtime.signals import run_in_event_loop

if TYPE_CHECKING:
    from wxasset.cli.demo.run import DemoContext

__all__ = ["demo_command", "simulate_command"]


def demo_command(
    *files: Path,
    live: Annotated[bool, FLAG] = False,
    yes: Annotated[bool, FLAG] = False,
    env: str | None = None,
    fileid: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    json: Annotated[bool, FLAG] = False,
) -> int:
    """Upload files, list, download and compare them, and delete them again.

    By default this happens on a simulator of its own, without any account or network. JSON keys of a file: file, type,
    size, media_id, up_ms, down_ms, check; of a check: check, text, passed (null: not judged).

    Args:
        files: Images, voices or videos; without any, the samples that come with the package.
        live: Use the real service, with WXASSET_APPID and WXASSET_SECRET from the environment.
        yes: With --live, do not ask before starting.
        env: With --live, the cloud environment that the files of --fileid are in.
        fileid: With --live, a cloud file to delete for good; can be given several times.
        json: Write JSON: one object a line, errors and notes too.
    """
    from wxasset.cli.demo import run as demo  # noqa: PLC0415 - with it comes the simulator, which other commands do without

    consent.check_options(live=live, yes=yes, env=env, fileids=fileid)
    if not live:
        return _finish(_go(partial(demo.simulated, files), as_json=json), as_json=json)
    consent.check_variables(os.environ)
    host = consent.host(os.environ)
    where = f"{host} as {os.environ['WXASSET_APPID']}"
    if not yes and not consent.agreed(consent.question(where, len(files) or len(SAMPLES), len(fileid))):
        note("Nothing was sent.", as_json=json)
        return 1
    work = partial(demo.live, files, host=host, env=env, fileids=fileid)
    return _finish(_go(work, as_json=json), as_json=json)


def _go(work: Callable[["DemoContext"], Awaitable[Outcome]], *, as_json: bool) -> Outcome | signal.Signals:
    """Go the round; what it says on the way is gone from the terminal afterwards."""
    from wxasset.cli.demo.run import DemoContext  # noqa: PLC0415 - the same

    errors = view.error_console()
    errors.quiet = as_json
    with tempfile.TemporaryDirectory(prefix="wxasset-") as scratch, errors.status("starting") as status:
        desk = DemoContext(
            scratch=Path(scratch),
            announce=lambda text: status.update(Text(view.printable(text))),
            warn=partial(note, as_json=as_json),
        )
        return run_in_event_loop(partial(work, desk))


def _finish(result: Outcome | signal.Signals, *, as_json: bool) -> int:
    if isinstance(result, signal.Signals):
        note(f"Stopped by {result.name}.", as_json=as_json)
        return 128 + result
    if as_json:
        for record in _records(result):
            Output.line(json_line(record))
    else:
        table.show(result, view.output_console())
    return 0 if result.passed else 1


def _records(outcome: Outcome) -> Iterator[Record]:
    for row in outcome.rows:
        yield {
            "file": row.upload.piece.name,
            "type": row.upload.piece.type,
            "size": row.upload.size,
            "media_id": row.upload.media_id,
            "up_ms": round(row.upload.milliseconds, 1),
            "down_ms": round(row.milliseconds, 1),
            "check": row.verdict.value,
        }
    for check in outcome.checks:
        yield {"check": check.label, "text": check.text, "passed": check.passed}


def simulate_command(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 0,
    host: str = "127.0.0.1",
    appid: str | None = None,
    secret_file: Path | None = None,
    seed: int | None = None,
    description_in_query: Annotated[bool, FLAG] = False,
    json: Annotated[bool, FLAG] = False,
) -> int:
    """Serve the simulator until Ctrl-C or SIGTERM. It keeps everything in memory.

    JSON keys: base_url, appid, secret (null with --secret-file), controllable.

    Args:
        port: The port; 0 takes a free one.
        host: The address to listen on. Whoever can reach it can use the simulator.
        appid: The appid it knows; its own by default.
        secret_file: A file with the secret that goes with the appid; its own by default.
        seed: A number that makes credentials, tokens and ids the same in each run; random by default, so that no page
            in a browser and no other user can guess them.
        description_in_query: Take the description of a video from the query, where wechatpy sends it.
        json: Say where it is in one JSON object, once it listens.
    """
    from wxasset.cli.runtime import simulation as simulate  # noqa: PLC0415 - the same
    from wxasset.simulator import Simulator, SimulatorOptions  # noqa: PLC0415 - the same

    secret = simulate.read_secret(secret_file) if secret_file else None
    options = SimulatorOptions(description_in_query=description_in_query)
    drawn = secrets.randbits(64) if seed is None else seed
    sim = Simulator(host=host, port=port, appid=appid, secret=secret, seed=drawn, options=options)

    def ready() -> None:
        if json:
            shown = sim.secret if secret_file is None else None
            where = {"base_url": sim.url, "appid": sim.appid, "secret": shown, "controllable": sim.controllable}
            Output.line(json_line(where))
            return
        output = view.output_console()
        for line in simulate.introduction(sim, secret_file):
            view.say(output, line)

    run_in_event_loop(partial(simulate.serve, sim, f"{host}:{port}", ready))
    return 0
