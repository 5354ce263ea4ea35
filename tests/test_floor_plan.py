"""The floor plan: arrows point down, each thing is in its one place, every module can be imported alone."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import wxasset

ROOT = Path(wxasset.__file__).parent

# What a module may import, by layer; each layer sees those below it and its own.
LAYERS: list[tuple[str, ...]] = [
    # beside: built on the face
    (
        "wxasset.cli",
        "wxasset.__main__",
        "wxasset.integrations.pytest_plugin",
        "wxasset.integrations.pytest_session",
        "wxasset.starlette",
        "wxasset.otel",
    ),
    ("wxasset",),
    ("wxasset.session",),
    (
        "wxasset.batch.pool",
        "wxasset.ledger.ledger",
        "wxasset.ledger.database",
    ),  # what the session's verbs for many items stand on
    ("wxasset.engine", "wxasset.engine.resume"),
    (
        "wxasset.engine.reconcile",
        "wxasset.engine.reconcile",
        "wxasset.engine.redaction",
        "wxasset.engine.recorder",
    ),  # what the engine says and tells
    ("wxasset.tokens", "wxasset.transfer"),
    ("wxasset.hooks", "wxasset.instrumentation.logging", "wxasset.events"),
    (
        "wxasset.engine.retry",
        "wxasset.batch.pacing",
        "wxasset.ledger.records",
        "wxasset.engine.uploads",
        "wxasset.calls",
        "wxasset.wire",
    ),
    ("wxasset.errors", "wxasset.errors.hints", "wxasset._version"),
]
PURE = (
    "wxasset.events",
    "wxasset.hooks",
    "wxasset.instrumentation.logging",
    "wxasset.engine.retry",
    "wxasset.batch.pacing",
    "wxasset.ledger.records",
    "wxasset.engine.uploads",
    "wxasset.calls",
    "wxasset.wire",
    "wxasset.errors",
    "wxasset.errors.hints",
)


def module_name(path: Path) -> str:
    """The dotted name of a source file."""
    parts = ("wxasset", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in ROOT.rglob("*.py")}
BESIDE = ("wxasset.simulator", *LAYERS[0])
CLIENT = {name for name in SOURCES if not name.startswith(BESIDE)}


def imports(name: str) -> set[str]:
    """The modules that a module imports when it runs; what is imported for types alone does not count."""
    tree = ast.parse(SOURCES[name].read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            module = node.module or ""
            found |= {
                f"{module}.{alias.name}" if f"{module}.{alias.name}" in SOURCES else module for alias in node.names
            }
    return found


def own(name: str) -> set[str]:
    """The modules of this package that a module imports."""
    return {one for one in imports(name) if one.split(".")[0] == "wxasset"}


def layer(name: str) -> int:
    """The layer of a module, the top one first."""
    for number, prefixes in enumerate(LAYERS):
        for prefix in prefixes:
            if name == prefix or (prefix != "wxasset" and name.startswith(f"{prefix}.")):
                return number
    raise AssertionError(f"{name} has no place on the floor plan")


@pytest.mark.parametrize("name", sorted(CLIENT | {"wxasset.__main__"}))
def test_arrows_point_down(name: str) -> None:
    """A module imports from its own layer and those below it."""
    assert not [one for one in own(name) if layer(one) < layer(name)]


def test_there_are_no_cycles() -> None:
    """The imports of the package can be put in an order."""
    TopologicalSorter({name: own(name) - {name} for name in SOURCES}).prepare()


def test_nothing_imports_what_stands_beside() -> None:
    """The command line and the simulator are imported by nothing of the client."""
    for name in CLIENT:
        assert not [one for one in own(name) if one.startswith(BESIDE)]


def test_the_simulator_shares_no_code_with_the_client() -> None:
    """The simulator imports nothing of wxasset but itself."""
    for name in SOURCES:
        if name.startswith("wxasset.simulator"):
            assert not [one for one in own(name) if not one.startswith("wxasset.simulator")]


def _named(library: str) -> set[str]:
    return {name for name in CLIENT if any(one.split(".")[0] == library for one in imports(name))}


def test_each_thing_is_in_its_one_place() -> None:
    """The name of aiohttp stands in one client package, the lock of the event loop in one module, cattrs in one."""
    # A package since one module would have 600 lines: requests, replies, links and faults are all in terms of aiohttp.
    assert {name.removeprefix("wxasset.transfer.http.") for name in _named("aiohttp")} == {
        *("client", "faults", "links", "outgoing", "reply", "request")
    }
    assert _named("cattrs") == {"wxasset.wire.codec"}
    locks = re.compile(r"(asyncio|anyio)\.Lock\(")
    assert {name for name in CLIENT if locks.search(SOURCES[name].read_text("utf-8"))} == {"wxasset.tokens.cache"}


@pytest.mark.parametrize("name", sorted(name for name in CLIENT if name.startswith(PURE)))
def test_pure_modules_cannot_await(name: str) -> None:
    """What decides has no I/O: no async function, no file, no socket, no clock."""
    tree = ast.parse(SOURCES[name].read_text("utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    outside = {"aiohttp", "anyio", "asyncio", "socket", "time", "io", "tempfile", "subprocess", "pathlib", "random"}
    assert not {one.split(".")[0] for one in imports(name)} & outside


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_module_imports_alone(name: str) -> None:
    """Each module can be the first one that a program imports, with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {name}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def modules_after(code: str) -> set[str]:
    """What some code imports in a fresh interpreter, which may come with modules of its own, as under coverage."""
    counted = f"import sys; there = set(sys.modules); {code}; print(*sys.modules.keys() - there)"
    done = subprocess.run([sys.executable, "-c", counted], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_no_more_than_it_needs() -> None:
    """`import wxasset` brings in neither the command line nor the simulator, nor what they are made with."""
    loaded = modules_after("import wxasset")
    assert not loaded & {"wxasset.cli", "wxasset.simulator", "aiohttp.web", "cyclopts", "rich", "starlette"}
    assert {one for one in loaded if one.startswith("wxasset")} == {"wxasset", "wxasset._version"}


def test_a_session_imports_no_more_than_it_needs() -> None:
    """What a session can do without is not imported with it: other sources of tokens, stores, the command line."""
    loaded = modules_after("from wxasset import WxSession")
    assert not loaded & {
        *(
            "wxasset.cli",
            "wxasset.simulator",
            "aiohttp.web",
            "cyclopts",
            "rich",
            "filelock",
            "redis",
            "uvloop",
            "sqlite3",
        ),
        *("opentelemetry", "wxasset.otel"),
        *(f"wxasset.tokens.{name}" for name in ("file", "foreign", "hosting", "platform", "redis")),
    }


def test_every_public_name_exists_and_is_listed() -> None:
    """`__all__` of the package is sorted, complete, and every name in it is there; none is twice, and no other."""
    assert [name for name in wxasset.__all__ if not hasattr(wxasset, name)] == []
    imported = [
        alias.name
        for node in ast.walk(ast.parse(SOURCES["wxasset"].read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wxasset")
        for alias in node.names
    ]
    assert sorted(imported) == sorted(wxasset.__all__) == sorted(set(wxasset.__all__))
    assert {name for name in dir(wxasset) if not name.startswith("_")} == set(wxasset.__all__) - {"__version__"}
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = wxasset.Nothing  # type: ignore[attr-defined]  # the point of the test
