"""The floor plan: arrows point down, each thing is in its one place, every module can be imported alone."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import wxasset

ROOT = Path(wxasset.__file__).parent

# What a module may import, by floor; each floor sees those below it and its own.
LAYERS: list[tuple[str, ...]] = [
    # beside: built on the face
    ("wxasset.cli", "wxasset.__main__", "wxasset.integrations", "wxasset.starlette", "wxasset.otel"),
    ("wxasset",),
    ("wxasset.session",),
    ("wxasset.ledger",),
    ("wxasset.engine",),
    ("wxasset.batch", "wxasset.tokens"),
    ("wxasset.instrumentation", "wxasset.events"),
    ("wxasset.transfer",),
    ("wxasset.calls",),
    ("wxasset.wire",),
    ("wxasset.errors", "wxasset._version"),
]
PUBLIC = {"wxasset.events", "wxasset.otel", "wxasset.starlette"}
"""Thin modules, part of the face: they re-export the public names of a package."""
PURE = (
    "wxasset.instrumentation",
    "wxasset.engine.evidence",
    "wxasset.engine.pager",
    "wxasset.engine.retry",
    "wxasset.engine.uploads",
    "wxasset.batch.pacing",
    "wxasset.ledger.records",
    "wxasset.ledger.transitions",
    "wxasset.calls",
    "wxasset.wire",
    "wxasset.errors",
)
FILES = (
    "wxasset.transfer",
    "wxasset.ledger.database",
    "wxasset.ledger.files",
    "wxasset.ledger.liveness",
    "wxasset.tokens.file_records",
    "wxasset.tokens.file_store",
    "wxasset.tokens.hosting_source",
)
"""The edges that read and write files."""


def module_name(path: Path) -> str:
    """The dotted name of a source file."""
    parts = ("wxasset", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in ROOT.rglob("*.py")}
BESIDE = ("wxasset.simulator", *LAYERS[0])
CLIENT = {name for name in SOURCES if not name.startswith(BESIDE)}


def imports(name: str) -> set[str]:
    """The modules that a module imports, anywhere in it, also for types alone."""
    return imported(SOURCES[name].read_text("utf-8"), name)


def imported(source: str, name: str) -> set[str]:
    """The modules that a source text imports, under TYPE_CHECKING as well."""
    tree = ast.parse(source)
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
        *(
            "client",
            "compatibility",
            "direct",
            "errors",
            "exchange",
            "meter",
            "observer",
            "payload",
            "pool",
            "redirects",
            "reply",
        ),
        "request",
    }
    assert _named("cattrs") == {"wxasset.wire.codec"}
    locks = re.compile(r"(asyncio|anyio)\.Lock\(")
    # Those around the token, before a lock file, and around the first look at a library.
    found = {name for name in CLIENT if locks.search(SOURCES[name].read_text("utf-8"))}
    assert found == {"wxasset.ledger.ledger", "wxasset.tokens.cache", "wxasset.tokens.store"}


@pytest.mark.parametrize("name", sorted(name for name in CLIENT if name.startswith(PURE)))
def test_pure_modules_cannot_await(name: str) -> None:
    """What decides has no I/O: no async function, no file, no socket, no clock."""
    tree = ast.parse(SOURCES[name].read_text("utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    outside = {"aiohttp", "anyio", "asyncio", "socket", "time", "io", "tempfile", "subprocess", "pathlib", "random"}
    assert not {one.split(".")[0] for one in imports(name)} & outside


_FIRST = """
import importlib, sys, traceback
for name in sys.argv[1:]:
    for one in [one for one in sys.modules if one.split(".")[0] == "wxasset"]:
        del sys.modules[one]
    try:
        importlib.import_module(name)
    except BaseException:
        print(name, traceback.format_exc())
"""
"""Imports each module that is named as if it were the first one; what is not of this package stays imported."""


def test_every_module_imports_alone() -> None:
    """Each package, and each module at the top, can be the first that a program imports, with warnings as errors.

    Any other module is imported after its package. What it imports then has an order, since there are no cycles; one
    process for each of 270 modules would show no more, and takes two minutes.
    """
    first = {name for name, path in SOURCES.items() if path.stem == "__init__" or path.parent == ROOT}
    assert {name.rpartition(".")[0] for name in SOURCES} - first == {""}
    code = f"{_FIRST}\nfor name in {sorted(SOURCES)}:\n    importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *sorted(first)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


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
    """A session is imported without its rare verbs and calls, batches, events, media, stores and the command line."""
    libraries = "import aiohttp, anyio, attrs, cattrs"  # early versions of anyio load more
    loaded = modules_after(f"{libraries}; from wxasset import WxSession") - modules_after(libraries)
    assert not loaded & {
        *(
            "wxasset.cli",
            "wxasset.simulator",
            "aiohttp.web",
            "cyclopts",
            "rich",
            "redis",
            "asyncpg",
            "uvloop",
            "sqlite3",
        ),
        *("opentelemetry", "wxasset.integrations", "wxasset.tokens.redis_store"),
        *("html", "wxasset.calls.account", "wxasset.calls.cloud", "wxasset.calls.media", "wxasset.calls.tokens"),
        *("wxasset.engine.library", "wxasset.ledger.library", "wxasset.session.file_batch"),
        *("wxasset.batch.run", "wxasset.batch.turns", "wxasset.batch.work", "wxasset.calls.object_storage"),
        *("wxasset.engine.operation_events", "wxasset.engine.reconcile", "wxasset.instrumentation.events"),
        *("wxasset.ledger.ensure", "wxasset.ledger.records", "wxasset.session.fetched", "wxasset.tokens.lease"),
        *("anyio._core._fileio", "wxasset.transfer.downloads.sink", "wxasset.transfer.uploads.source"),
        *(
            f"wxasset.tokens.{name}"
            for name in (
                "component_source",
                "file_store",
                "hosting_source",
                "platform_source",
                "redis_source",
                "redis_store",
            )
        ),
    }


def test_every_public_name_exists_and_is_listed() -> None:
    """Each name in `__all__` is there; type checkers see the same names in the stub, from the same modules."""
    assert [name for name in vars(wxasset)["__all__"] if not hasattr(wxasset, name)] == []
    stub = ast.parse((ROOT / "__init__.pyi").read_text("utf-8"))
    seen = [(alias.name, node.module) for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    modules = [name for name, module in seen if module == "wxasset"]
    assert [f"wxasset.{name}" for name in modules if f"wxasset.{name}" not in SOURCES] == []
    assert set(modules) <= set(vars(wxasset)["_MODULES"])
    seen = [(name, module) for name, module in seen if module != "wxasset"]
    assert sorted(name for name, _ in seen) == sorted(vars(wxasset)["__all__"])
    assert {name: module for name, module in seen if name != "__version__"} == vars(wxasset)["_HOME"]
    assert {name for name in dir(wxasset) if not name.startswith("_")} == set(vars(wxasset)["__all__"]) - {
        "__version__"
    }
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = wxasset.Nothing  # type: ignore[attr-defined]  # the point of the test


def test_the_face_is_all_that_stands_at_the_top() -> None:
    """At the top level there are packages, the face with its thin public modules, and nothing else."""
    loose = {path.stem for path in ROOT.glob("*.py")} | {path.stem for path in ROOT.glob("*.pyi")}
    assert loose == {"__init__", "__main__", "_version", *(name.split(".")[1] for name in PUBLIC)}
    for name in PUBLIC:
        body = ast.parse(SOURCES[name].read_text("utf-8")).body
        assert all(isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign) for node in body), name
        (home,) = (node.module for node in body if isinstance(node, ast.ImportFrom) and node.module)
        assert sorted(import_module(name).__all__) == sorted(import_module(home).__all__), name


def test_the_plan_sees_imports_for_types() -> None:
    """An import under TYPE_CHECKING counts like any other, so that a cycle made through types is found."""
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from wxasset.session import WxSession\n"
    assert "wxasset.session" in imported(source, "wxasset.errors")


def test_only_the_edges_open_files() -> None:
    """Files are opened in the transfer package, the token file and the ledger's stores."""
    opening = re.compile(
        r"(?<![.\w])(?<!def )open\(|\bos\.(open|fdopen|replace|rename|remove|unlink|l?stat)\("
        r"|\.(read|write)_(text|bytes)\(|\.unlink\(|\.open\(\"[rwax]"
    )
    found = {name for name in CLIENT if opening.search(SOURCES[name].read_text("utf-8"))}
    assert {name for name in found if not name.startswith(FILES)} == set()


def test_no_test_file_imports_another() -> None:
    """What several test files need is in tests/support."""
    tests = Path(__file__).parents[1]
    found = {
        f"{path.name}: {one}"
        for path in tests.rglob("*.py")
        for one in imported(path.read_text("utf-8"), path.name)
        if one.startswith("test_")
    }
    assert found == set()
