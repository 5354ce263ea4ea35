"""Everything that is checked: `nox` runs lint, typing and the tests; `nox -l` lists the rest."""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

nox.options.sessions = ["lint", "typing", "tests"]
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.needs_version = ">=2025.5.1"

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
AXE_CORE = "axe-core@4.14.1"  # from npm, so that no dependency group can name it
# One more than there are cores, since tests also wait.
# tests/conftest.py says which files begin.
WORKERS = (f"-n={min(4, (os.cpu_count() or 1) + 1)}", "--dist=loadfile", "--no-loadscope-reorder")
UVLOOP = [f"tests/{name}" for name in ("batch", "engine", "ledger", "session", "system", "tokens", "transfer")]
BUILT: list[str] = []  # the wheel of this run
EXTRAS = ",".join(PROJECT["project"]["optional-dependencies"])


def group(name: str) -> list[str]:
    """The packages of a dependency group: pip before 25.1 does not know groups."""
    return list(nox.project.dependency_groups(PROJECT, name))


def asked() -> list[str]:
    """The packages that the wheel depends on, with those of its extras."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    return [*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)]


def wheel(session: nox.Session) -> str:
    """Build the wheel, once for all sessions of a run, so that tests run on what users install."""
    session.env["PYTHONSAFEPATH"] = "1"  # or the checkout would be imported instead
    if not BUILT:
        directory = Path(session.create_tmp()).resolve() / "dist"
        shutil.rmtree(directory, ignore_errors=True)
        session.run(
            *("python", "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={directory}", "."),
            silent=True,
        )
        BUILT.extend(map(str, directory.glob("*.whl")))
    (built,) = BUILT
    return built


def install(session: nox.Session, *more: str) -> None:
    """Install the wheel with all extras, and what the tests need."""
    # What one process has compiled is there for the next one, of which the tests start hundreds.
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    built = wheel(session)
    reused = any(Path(session.virtualenv.location).rglob("wxasset-*.dist-info"))
    session.install(f"{built}[{EXTRAS}]", *group("test"), *more)
    if reused:  # a wheel of the same version is not installed again by itself
        session.install("--force-reinstall", "--no-deps", built)


def measure(session: nox.Session) -> None:
    """Run the tests on the wheel, and collect the branches that they take."""
    install(session)
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *WORKERS, *session.posargs)
    session.run("coverage", "combine", "--quiet")


def pages(session: nox.Session, file: str, directory: Path) -> None:
    """Build the pages of one language; a warning is an error."""
    command = ("mkdocs", "build", "--quiet", "--strict", f"--config-file=docs/site/{file}", f"--site-dir={directory}")
    session.run(*command, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and wording, and build the English pages; those in Chinese take as long again (`docs`)."""
    session.install(*group("lint"), *group("docs"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("python", "tests/support/wording.py")
    forms = [one for one in Path(".github/ISSUE_TEMPLATE").glob("*.yml") if one.stem != "config"]
    for schema, files in (
        ("github-workflows", Path(".github/workflows").glob("*.yml")),
        ("github-issue-forms", forms),
        ("dependabot", [Path(".github/dependabot.yml")]),
    ):
        session.run("check-jsonschema", "--quiet", f"--builtin-schema=vendor.{schema}", *map(str, files))
    pages(session, "mkdocs.yml", Path(session.create_tmp()).resolve() / "docs")


@nox.session
def actionlint(session: nox.Session) -> None:
    """Check the expressions and scripts of the workflows; installing it takes access to GitHub."""
    session.install(*group("actionlint"))
    session.run("actionlint")


@nox.session
def release(session: nox.Session) -> None:
    """Build and check both distributions, and print what would be published; `-- TAG` has to be that of the version."""
    session.install(*group("release"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", "dist")
    built = sorted(map(str, Path("dist").iterdir()))
    session.run("twine", "check", "--strict", *built)
    session.run("python", "tests/support/release.py", *built, *session.posargs)


@nox.session
def typing(session: nox.Session) -> None:
    """Check types, and that every public name has one."""
    install(session, "--no-compile", *group("typing"))  # they are read, and not run
    commands = (("mypy",), ("pyright", "--ignoreexternal", "--verifytypes", "wxasset"))
    with ThreadPoolExecutor() as pool:  # either uses one core
        for running in [pool.submit(session.run, *command) for command in commands]:
            running.result()


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the built wheel, with branch coverage."""
    measure(session)
    session.run("coverage", "report")


@nox.session(python=PYTHONS)
def interpreters(session: nox.Session) -> None:
    """Run the tests on each interpreter that is found."""
    install(session)
    session.run("pytest", *WORKERS, *session.posargs)


@nox.session
def uvloop(session: nox.Session) -> None:
    """Run the asynchronous tests of transfers, sessions, tokens and batches on uvloop."""
    install(session)
    session.run("pytest", *WORKERS, *(session.posargs or UVLOOP), env={"WXASSET_UVLOOP": "1"})


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions of the direct dependencies.

    uv takes what it is asked for itself as direct, and not what a wheel asks for: so it is asked for both.
    """
    if sys.version_info >= (3, 13):
        session.error("the lowest versions have no wheels for this interpreter; run with Python 3.11")
    session.install("uv")
    session.run(
        *("uv", "pip", "install", "--quiet", f"--python={session.virtualenv.location}"),
        *("--resolution=lowest-direct", "--reinstall-package=wxasset", wheel(session), *asked(), *group("test")),
    )
    session.run("pytest", *WORKERS, *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Compare the lowest versions that the package accepts with published advisories."""
    session.install(*group("audit"))
    session.run("python", "tests/support/audit.py")


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests, and write the lines that they do not reach as HTML to htmlcov/."""
    measure(session)
    session.run("coverage", "html", "--fail-under=0")
    session.run("coverage", "report")


@nox.session(name="property")
def property_(session: nox.Session) -> None:
    """Hold the token cache to its model, and creates to their invariant, for 2,000 examples each; tests play some."""
    install(session)
    files = ("tests/tokens/test_token_machine.py", "tests/system/test_invariant.py")
    session.run("pytest", *files, *session.posargs, env={"WXASSET_EXAMPLES": "2000"})


@nox.session
def interop(session: nox.Session) -> None:
    """Let other clients, all unmodified, go their rounds against `wxasset simulate --intercept`; writes a table."""
    install(session, *group("interop"))
    directory = Path(session.create_tmp()).resolve()
    here = Path("tests/interop").resolve()  # its modules import each other, also in the environments of the clients
    arguments = (str(directory), "docs/interop.md", *session.posargs)
    session.run("python", str(here / "interop.py"), *arguments, env={"PYTHONPATH": str(here)})


@nox.session
def browser(session: nox.Session) -> None:
    """Use the pages of `wxasset web` and of the simulator in the system's Chromium; keeps screenshots.

    axe-core, from npm, looks for barriers to people with disabilities.
    """
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        session.error("the tests in a browser need Chromium; on Debian: apt-get install chromium fonts-noto-cjk")
    install(session, *group("browser"))
    directory = Path(session.create_tmp()).resolve()
    session.run("npm", "install", "--silent", "--no-save", "--prefix", str(directory), AXE_CORE)
    shots = directory / "screenshots"
    shots.mkdir(exist_ok=True)
    axe = directory / "node_modules" / "axe-core" / "axe.min.js"
    session.run(
        *("pytest", "-pwxasset.integrations.pytest_plugin"),
        *("tests/browser/library_page.py", "tests/browser/simulator_page.py", *session.posargs),
        env={"WXASSET_SCREENSHOTS": str(shots), "WXASSET_AXE": str(axe)},
    )
    session.log(f"screenshots are in {shots}")


@nox.session
def agents(session: nox.Session) -> None:
    """See that Sentry and OpenTelemetry's instrumentations of aiohttp and Redis export no secret, under faults."""
    if shutil.which("redis-server") is None:
        session.error("the tests with agents need Redis; on Debian: apt-get install redis-server")
    install(session, *group("agents"))
    session.run("pytest", "-q", "tests/agents/exported.py", *session.posargs)


@nox.session
def queues(session: nox.Session) -> None:
    """Run the recipes with taskiq on Redis and with Procrastinate on PostgreSQL, every job delivered twice."""
    if shutil.which("redis-server") is None:
        session.error("the queues need Redis and PostgreSQL; on Debian: apt-get install redis-server postgresql")
    install(session, *group("queues"))
    session.run("pytest", "-q", "tests/queues/delivered_twice.py", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Play 10,000 random schedules of faults, and two workers of 200 uploads each; the tests play 60, and 40."""
    install(session)
    files = ("tests/system/test_schedules.py", "tests/system/test_workers.py")
    environment = {"WXASSET_SCHEDULES": "10000", "WXASSET_UPLOADS": "200"}
    session.run("pytest", "-q", *files, *session.posargs, env=environment)


@nox.session
def resume(session: nox.Session) -> None:
    """Kill a job of 1,000 images 20 times, and see that each is added once; the tests do so with 200 and 8."""
    install(session)
    environment = {"WXASSET_IMAGES": "1000", "WXASSET_KILLS": "20"}
    session.run("pytest", "-q", "-s", "tests/ledger/test_ledger_kill.py", *session.posargs, env=environment)


@nox.session
def hosts(session: nox.Session) -> None:
    """Let 2 hosts, then 6, add 3,000 images over one PostgreSQL and one Redis, a process killed each second.

    The tests do so with 2 and 100.
    """
    if shutil.which("redis-server") is None:
        session.error("the hosts need Redis and PostgreSQL; on Debian: apt-get install redis-server postgresql")
    install(session)
    session.run("pytest", "-q", "tests/system/test_hosts.py", *session.posargs, env={"WXASSET_FILES": "3000"})


@nox.session
def platform(session: nox.Session) -> None:
    """Start 1, 2 and 8 workers of a platform with 1,000 accounts; the tests start 2, with 40. Takes an idle machine."""
    install(session)
    environment = {"WXASSET_ACCOUNTS": "1000"}
    session.run("pytest", "-q", "tests/system/test_platform_scale.py", *session.posargs, env=environment)


@nox.session
def large(session: nox.Session) -> None:
    """Send 1 GiB to cloud storage and fetch it back, in flat memory; the tests do so with 256 MiB."""
    install(session)
    session.run("pytest", "-q", "tests/session/test_cloud_large.py", *session.posargs, env={"WXASSET_LARGE": "1024"})


@nox.session
def mutation(session: nox.Session) -> None:
    """See that 85 % of small changes to the pure modules are noticed by their tests; takes an hour and more."""
    install(session, *group("mutation"))
    session.run("python", "tests/mutation/mutation.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages of docs/ in both languages, strictly, into build/docs or the directory that is given."""
    session.install(*group("docs"))
    target = Path(session.posargs[0] if session.posargs else "build/docs").resolve()
    pages(session, "mkdocs.yml", target)
    pages(session, "mkdocs.zh.yml", target / "zh")


@nox.session
def screenshots(session: nox.Session) -> None:
    """Draw the picture of the README anew, from what the commands really show."""
    install(session)
    session.run("python", "tests/support/screenshots.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Compare with what users would pick instead, side by side in one run; see benchmarks/README.md."""
    missing = [program for program in ("nginx", "curl") if shutil.which(program) is None]
    if missing:
        session.error(f"the benchmarks need {' and '.join(missing)}; on Debian: apt-get install {' '.join(missing)}")
    install(session, *group("bench"))
    session.run("python", "benchmarks/bench.py", *session.posargs, env={"PYTHONPATH": "benchmarks"})
