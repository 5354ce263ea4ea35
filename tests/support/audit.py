"""Compare the floors of pyproject.toml with published advisories: ``python tests/support/audit.py``."""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.version import Version

__all__ = ["ADVISORIES", "floors", "holes"]

_ROOT: Final = Path(__file__).parents[2]
ADVISORIES: Final[Mapping[str, Any]] = tomllib.loads(
    Path(__file__).with_name("advisories.toml").read_text(encoding="utf-8")
)


def floors() -> dict[str, Version]:
    """Return the lowest version that the package accepts of each dependency, extras included."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    found: dict[str, Version] = {}
    for requirement in map(Requirement, asked):
        (lowest,) = (Version(one.version) for one in requirement.specifier if one.operator in (">=", "==", "~="))
        found[requirement.name] = min(lowest, found.get(requirement.name, lowest))
    return found


def holes(lowest: Mapping[str, Version], advisories: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the advisories on versions that a floor admits."""
    return [
        f"{one['package']}>={lowest[one['package']]} admits {one['id']}, fixed in {one['fixed']}: {one['about']}"
        for one in advisories
        if one["package"] in lowest and lowest[one["package"]] < Version(one["fixed"])
    ]


def ask_the_database(lowest: Mapping[str, Version]) -> list[str] | None:
    """Return what pip-audit's database says of the floors; None where it cannot be reached."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "floors.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in lowest.items()), encoding="utf-8")
        options = ("--disable-pip", "--no-deps", "--format=json", "--progress-spinner=off", f"--requirement={file}")
        done = subprocess.run(
            (sys.executable, "-m", "pip_audit", *options), capture_output=True, text=True, check=False
        )
    try:
        known = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return None
    if not known or any("skip_reason" in one for one in known):  # the database does not know one of them: a mirror
        return None
    return [f"{one['name']}=={one['version']}: {hole['id']}" for one in known for hole in one["vulns"]]


def main() -> None:
    """Print what was checked, and fail for each hole."""
    lowest = floors()
    found = holes(lowest, ADVISORIES["advisory"])
    print(f"{len(lowest)} floors against {len(ADVISORIES['advisory'])} advisories of {ADVISORIES['checked']}")
    told = ask_the_database(lowest)
    print("pip-audit: its database cannot be reached" if told is None else f"pip-audit: {len(told)} advisories")
    found += told or []
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
