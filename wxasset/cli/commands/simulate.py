"""Commands `wxasset demo` and `wxasset simulate`; the simulator is imported when they run."""

import os
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from attrs import frozen
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from wxasset.cli.demo import table
from wxasset.cli.demo.checks import Outcome
from wxasset.cli.demo.plan import SAMPLES
from wxasset.cli.runtime import prompts
from wxasset.cli.runtime.console import error_console, output_console, printable, say
from wxasset.cli.runtime.errors import note
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.cli.runtime.output import Output, json_line
from wxasset.cli.runtime.report import Record
from wxasset.cli.runtime.runner import FLAG, Options, noted
from wxasset.cli.runtime.signals import run_in_event_loop
from wxasset.cli.runtime.simulator_options import flag_class, given, read_options
from wxasset.errors import Hint

if TYPE_CHECKING:
    from wxasset.cli.demo.run import DemoContext

    class ServiceOptions:
        """Flags of the service, generated at run time."""
else:
    ServiceOptions = flag_class()

__all__ = ["demo_command", "simulate_command"]


def demo_command(
    *files: Path,
    live: Annotated[bool, FLAG] = False,
    yes: Annotated[bool, FLAG] = False,
    env: str | None = None,
    fileid: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Upload files, list, download and compare them, and delete them again.

    By default this runs on a built-in simulator, without an account or network. JSON keys of a file: file, type, size,
    media_id, up_ms, down_ms, check; of a check: check, text, passed (null: not judged).

    Args:
        files: Images, voices or videos; the samples of the package by default.
        live: Use the real service, with the account of the environment or of --account.
        yes: With --live, do not ask for confirmation.
        env: With --live, the cloud environment of the files of --fileid.
        fileid: With --live, a cloud file to delete permanently; can be given several times.
        options: Options of every command; --account, --proxy and --timeout require --live.
    """
    from wxasset.cli.demo import run  # noqa: PLC0415 - it imports the simulator, unused by other commands

    account = (options.account, options.proxy, options.timeout) != (None, None, None)
    prompts.check_options(live=live, yes=yes, env=env, fileids=fileid, account=account)
    if not live:
        return _finish(*_go(partial(run.simulated, files), options), as_json=options.json)
    credentials = options.credentials()
    where = f"{credentials.host} as {credentials.appid}"
    if not yes and not prompts.agreed(prompts.question(where, len(files) or len(SAMPLES), len(fileid))):
        note(Hint("Nothing was sent.", "未发送任何请求。"), as_json=options.json)
        return 1
    work = partial(run.live, files, credentials=credentials, env=env, fileids=fileid)
    return _finish(*_go(work, options), as_json=options.json)


def _go(
    work: Callable[["DemoContext"], Awaitable[Outcome]], options: Options
) -> tuple[Outcome | signal.Signals, list[str]]:
    """Run the demonstration; its progress is removed from the terminal afterwards.

    Returns:
        The outcome or the signal, and the warnings about materials left in the library.
    """
    from wxasset.cli.demo.run import DemoContext  # noqa: PLC0415 - the same

    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(text)
        note(text, as_json=options.json)

    def asked(number: signal.Signals) -> bool:
        text = Hint(
            f"{number.name}: deleting the uploads. A second signal stops at once.",
            f"收到 {number.name}：正在删除已上传的素材。再次发送信号将立即停止。",
        )
        note(text, as_json=options.json, signal=number.name)
        return False

    errors = error_console()
    errors.quiet = options.json or options.quiet
    with (
        noted(options),
        tempfile.TemporaryDirectory(prefix="wxasset-") as scratch,
        errors.status("starting") as status,
    ):
        desk = DemoContext(scratch=Path(scratch), announce=lambda text: status.update(Text(printable(text))), warn=warn)
        return run_in_event_loop(partial(work, desk), asked), warnings


def _finish(result: Outcome | signal.Signals, warnings: Sequence[str], *, as_json: bool) -> int:
    if isinstance(result, signal.Signals):
        note(Hint(f"Stopped by {result.name}.", f"已被 {result.name} 中止。"), as_json=as_json)
        return Exit.UNKNOWN if warnings else 128 + result
    if as_json:
        for record in _records(result):
            Output.line(json_line(record))
    else:
        table.show(result, output_console())
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


@Parameter(name="*")
@frozen(kw_only=True)
class Interception:
    """Options of interception and HTTPS."""

    intercept: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Answer for api.weixin.qq.com and the other hosts of WeChat, through a proxy that refuses all others.",
        ),
    ] = False
    tls: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Serve HTTPS, with certificates of an authority whose key stays in memory.",
        ),
    ] = False
    certificate: Annotated[
        Path | None,
        Parameter(help="A PEM file with a certificate and its key, for --tls; issued for each host by default."),
    ] = None


def simulate_command(
    *command: Annotated[str, Parameter(negative="", show_default=False)],
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 0,
    host: str = "127.0.0.1",
    public_url: str | None = None,
    appid: str | None = None,
    secret_file: Path | None = None,
    seed: int | None = None,
    control: str | None = None,
    control_file: Path | None = None,
    state: Path | None = None,
    options: Path | None = None,
    fault: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    add_account: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    json: Annotated[bool, FLAG] = False,
    secure: Interception | None = None,
    flags: Annotated[ServiceOptions | None, Parameter(name="*")] = None,
) -> int:
    """Serve the simulator until Ctrl-C or SIGTERM. Without --state it stores all data in memory.

    With a command, the command is run with WXASSET_BASE_URL, WXASSET_APPID and WXASSET_SECRET set to the simulator,
    which ends with it; the exit status is that of the command. Options after its name are its own.

    Programs with a built-in https://api.weixin.qq.com are served unchanged with --intercept: the simulator answers for
    the hosts of WeChat, through a proxy with certificates of its own, and prints the variables of a shell for it.

    JSON keys: base_url, appid, secret (null with --secret-file), controllable, accounts (further ones: appid, secret);
    with --intercept also variables (to set for a program) and hosts (a line of the hosts file).

    Args:
        command: A program to run against the simulator, and its arguments.
        port: The port; 0 chooses a free port.
        host: The address to listen on. Every client with access to it can use the simulator.
        public_url: The beginning of all links, such as https://wechat.example; by default the Host of each request.
        appid: The accepted appid; drawn for each run by default.
        secret_file: A file with the accepted secret; drawn for each run by default.
        seed: A number that makes credentials, tokens and ids the same in each run; random by default, so that no page
            in a browser and no other user can guess them.
        control: A token for control over HTTP by other machines; also in WXASSET_CONTROL_TOKEN.
        control_file: A file with this token.
        state: A directory that keeps library, cloud files, drafts, accounts and tokens; created if missing.
        options: A TOML file with the options below, such as voice_cap = 5, and tables [[faults]] and [[accounts]].
        fault: A fault, such as 'add_material=errcode:45009;times=all;after=2'; can be given several times.
        add_account: A further account, APPID or APPID:PRESET with the preset sandbox, mini_program or unverified; can
            be given several times.
        json: Print the address as a JSON object as soon as the simulator listens.
        secure: Options of interception and HTTPS.
        flags: Options of the service.
    """
    from wxasset.cli.runtime import interception, simulation  # noqa: PLC0415 - the same

    plan = simulation.Plan(read_options(options), given(flags), fault, add_account)
    seeds = simulation.Seeds(appid, simulation.read_secret(secret_file) if secret_file else None, seed)
    token = simulation.control_token(control, control_file, os.environ)
    secure = secure or Interception()
    sim = simulation.build(
        plan,
        seeds,
        host=host,
        port=port,
        public_url=public_url,
        control_token=token,
        state=state,
        tls=interception.read_tls(secure.certificate, tls=secure.tls),
        intercept=secure.intercept,
    )

    def ready(variables: Mapping[str, str]) -> None:
        if json:
            more = {"variables": variables, "hosts": sim.hosts_line} if secure.intercept else {}
            Output.line(json_line({**simulation.address(sim, show_secret=secret_file is None), **more}))
            return
        output = output_console()
        for line in simulation.introduction(sim, secret_file, variables):
            say(output, line)

    serve = partial(simulation.serve, sim, f"{host}:{port}", ready, command, os.environ)
    status = run_in_event_loop(serve)
    if isinstance(status, signal.Signals):
        return 128 + status if command else 0
    return status
