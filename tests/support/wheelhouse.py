"""Wheels of installed packages, from which pip installs without a network and without reading the index."""

import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["pack"]


def pack(directory: Path, *requirements: str) -> None:
    """Write a wheel of each package that the requirements ask for, directly or not, in the installed version."""
    directory.mkdir()
    for one in _closure(requirements):
        name = canonicalize_name(one.name).replace("-", "_")
        # Its tags are not those that it was published with: it is for this interpreter on this machine.
        with zipfile.ZipFile(directory / f"{name}-{one.version}-py3-none-any.whl", "w") as wheel:
            for file in one.files or ():
                path = Path(str(file.locate()))
                if ".." not in file.parts and file.suffix != ".pyc" and path.is_file():
                    wheel.write(path, file.as_posix())


def _closure(requirements: Iterable[str]) -> Iterator[Distribution]:
    seen: set[tuple[str, str]] = set()
    packed: set[str] = set()
    waiting = [Requirement(one) for one in requirements]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        found = distribution(name)
        if name not in packed:
            packed.add(name)
            yield found
        for extra in {"", *wanted.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                asked = map(Requirement, found.requires or ())
                waiting += [one for one in asked if one.marker is None or one.marker.evaluate({"extra": extra})]
