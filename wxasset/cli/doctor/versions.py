"""Check the versions of wxasset, Python and the dependencies."""

import platform
import ssl
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from wxasset import __version__
from wxasset.cli.doctor.findings import Finding, failed, ok
from wxasset.errors import Hint

__all__ = ["inspect_versions", "outdated"]

_REQUIRED: Final = ("aiohttp", "anyio", "attrs", "cattrs", "cyclopts", "rich")
_OPTIONAL: Final = ("redis", "uvloop")


def inspect_versions() -> Finding:
    """Compare the installed versions with the requirements in the metadata of the wxasset distribution."""
    installed = {name: installed_version(name) for name in (*_REQUIRED, *_OPTIONAL)}
    evidence = {
        "python": platform.python_version(),
        "wxasset": __version__,
        **installed,
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "openssl": ssl.OPENSSL_VERSION,
    }
    problems = "; ".join(outdated(_requirements()))
    if problems:
        return failed(
            "versions",
            Hint(f"Unsupported versions: {problems}.", f"版本不满足 wxasset 的要求：{problems}。"),
            Hint("Run: pip install --upgrade 'wxasset[cli]'", "请执行：pip install --upgrade 'wxasset[cli]'"),
            **evidence,
        )
    main = f"wxasset {__version__}, Python {evidence['python']}, aiohttp {installed['aiohttp']}"
    absent = [name for name in _OPTIONAL if installed[name] is None]
    without = Hint(f"; without {', '.join(absent)}", f"；未安装 {'、'.join(absent)}") if absent else Hint("", "")
    return ok("versions", Hint(f"{main}{without.english}.", f"{main}{without.chinese}。"), **evidence)


def installed_version(name: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _requirements() -> list[str]:
    try:
        return requires("wxasset") or []
    except PackageNotFoundError:  # run from a source tree
        return []


def outdated(requirements: Iterable[str]) -> Iterator[str]:
    """Yield a description of each installed distribution outside the required range.

    Nothing is yielded if `packaging` is not installed. Distributions of extras are checked only where installed.
    """
    try:
        from packaging.requirements import Requirement  # noqa: PLC0415 - not a dependency
    except ImportError:
        return
    for requirement in map(Requirement, requirements):
        found = installed_version(requirement.name)
        if found is not None and not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name} {found}, required: {requirement.specifier}"
