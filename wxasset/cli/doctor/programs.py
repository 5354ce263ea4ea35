"""What runs here, and whether it is new enough. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from wxasset.cli.doctor.findings import Finding, failed, ok
from wxasset.errors import Hint

__all__ = ["LEAST", "OPTIONAL", "Programs", "judge_programs", "older"]

LEAST: Final[Mapping[str, str]] = {
    "aiohttp": "3.14.3",
    "anyio": "4.9",
    "attrs": "25.4",
    "cattrs": "25.1",
    "cyclopts": "4.2",
    "rich": "14.0",
    "filelock": "3.20.1",
    "redis": "5.2",
    "uvloop": "0.21",
}
"""The oldest versions that wxasset works with: those of pyproject.toml, to which a test holds them."""

OPTIONAL: Final = frozenset({"filelock", "redis", "uvloop"})
_PYTHON: Final = "3.11"


@frozen(kw_only=True)
class Programs:
    """What runs here.

    Attributes:
        python: Python's version.
        wxasset: This package's.
        packages: Those of other packages; None for what is not installed.
        others: What is told besides, such as the platform.
    """

    python: str
    wxasset: str
    packages: Mapping[str, str | None]
    others: Mapping[str, str] = field(factory=dict)


def older(version: str, least: str) -> bool:
    """Tell whether a version is older than another, by the numbers at their beginnings."""
    return _numbers(version) < _numbers(least)


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()  # 4.0 is 4
    return tuple(numbers)


def judge_programs(found: Programs) -> Finding:
    """Judge the versions."""
    evidence = {"python": found.python, "wxasset": found.wxasset, **found.packages, **found.others}
    old = [
        f"{name} {version} < {LEAST[name]}"
        for name, version in found.packages.items()
        if version is not None and name in LEAST and older(version, LEAST[name])
    ]
    old += [f"python {found.python} < {_PYTHON}"] if older(found.python, _PYTHON) else []
    missing = [name for name, version in found.packages.items() if version is None and name not in OPTIONAL]
    if old or missing:
        troubles = "; ".join([*old, *(f"{name} is missing" for name in missing)])
        return failed(
            "versions",
            Hint(f"wxasset was not made for these: {troubles}.", f"版本不满足 wxasset 的要求：{troubles}。"),
            Hint("Run: pip install --upgrade 'wxasset[cli]'", "请执行：pip install --upgrade 'wxasset[cli]'"),
            **evidence,
        )
    main = [f"{name} {version}" for name, version in found.packages.items() if version and name in {"aiohttp", "anyio"}]
    absent = [name for name in sorted(OPTIONAL) if found.packages.get(name) is None]
    without = Hint(f"; without {', '.join(absent)}", f"；未安装 {'、'.join(absent)}") if absent else Hint("", "")
    told = ", ".join([f"wxasset {found.wxasset}", f"Python {found.python}", *main])
    return ok("versions", Hint(f"{told}{without.english}.", f"{told}{without.chinese}。"), **evidence)
