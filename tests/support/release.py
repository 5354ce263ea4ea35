"""Print what a release would publish: ``python tests/support/release.py WHEEL SDIST [TAG]`` fails if it is not ready.

With a tag, the tag has to be that of the version, and the changelog has to have its date.
"""

import re
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Final

__all__ = ["complaints", "told"]

ROOT: Final = Path(__file__).parents[2]


def told(wheel: Path, sdist: Path) -> tuple[str, list[str]]:
    """Return the version, and lines about both files and the metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (place,) = (one for one in names if one.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(place))
    with tarfile.open(sdist) as packed:
        sources = packed.getnames()
    version = str(metadata["Version"])
    fields = ("Name", "Version", "Requires-Python", "License-Expression")
    lines = [f"{field}: {metadata[field]}" for field in fields]
    lines += [f"{field}: {one}" for field in ("Requires-Dist", "Project-URL") for one in metadata.get_all(field, [])]
    for path, count in ((wheel, len(names)), (sdist, len(sources))):
        lines.append(f"{path.name}: {path.stat().st_size:,} bytes, {count} files")
    return version, lines


def complaints(version: str, changelog: str, tag: str | None) -> list[str]:
    """Return what is missing for a release."""
    found = [] if tag in (None, f"v{version}") else [f"the tag is {tag}, and the version {version}"]
    dated = re.search(rf"^## \[{re.escape(version)}\]\(\S+\) - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)
    return found if dated else [*found, f"CHANGELOG.md has no heading for {version} with its date"]


def main(wheel: str, sdist: str, tag: str | None = None) -> int:
    """Print what would be published; fail if a tag is given and something is missing."""
    paths = sorted((Path(wheel), Path(sdist)), key=lambda one: one.suffix != ".whl")
    version, lines = told(*paths)
    missing = complaints(version, (ROOT / "CHANGELOG.md").read_text("utf-8"), tag)
    print("Would be published:", *lines, *(f"not ready: {one}" for one in missing), sep="\n  ")
    return bool(tag and missing)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
