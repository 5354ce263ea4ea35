"""The pages of docs/ in both languages: their sections, what each says that it needs, and their blocks."""

import re
import shutil
from pathlib import Path
from typing import Final

from attrs import frozen

from pictures import make_pictures
from readme import ROOT, Block, Section, sections
from wxasset import cli

DOCS: Final = ROOT / "docs"
GENERATED: Final = ("interop.md",)
"""Pages that a program writes, in English alone."""
SAMPLES: Final = {
    "poster.png": "drawing.png",
    "greeting.mp3": "voice.mp3",
    "clip.mp4": "clip.mp4",
    "cover.jpg": "thumb.jpg",
}
"""Files that pages speak of, by the sample that each one is a copy of."""
_USED: Final = re.compile(r"^(?:Used here:|本[页节]用到：)(.*?)(?:\n\n|\. |\Z)", re.MULTILINE | re.DOTALL)


def names(directory: Path = DOCS) -> list[str]:
    """Return the pages below a directory, such as `reference/errors.md`; those of another language are not below it."""
    found = (path.relative_to(directory).as_posix() for path in directory.rglob("*.md"))
    return sorted(one for one in found if not one.startswith("zh/"))


@frozen
class Part:
    """A section of a page with blocks.

    Attributes:
        page: The page, such as `docs/zh/uploads.md`.
        section: The section.
        needs: What section and page say that they need.
    """

    page: str
    section: Section
    needs: frozenset[str]

    @property
    def blocks(self) -> list[Block]:
        """The blocks of the section."""
        return self.section.blocks

    def furnish(self, directory: Path) -> None:
        """Put into an empty directory what the page says it needs, and nothing else."""
        for name in self.needs:
            if name in SAMPLES:
                shutil.copy(Path(cli.__file__).parent / "samples" / SAMPLES[name], directory / name)
            elif name == "posters/":
                make_pictures(directory / "posters", 3)
            elif name.endswith("/"):
                (directory / name).mkdir()


def used(text: str) -> set[str]:
    """Return what a text says that it needs: the code spans of its line about that."""
    return {span for line in _USED.findall(text) for span in re.findall(r"`([^`]+)`", line)}


def parts(page: str) -> list[Part]:
    """Return the sections of a page that have blocks."""
    found = sections(page)
    common = used(found[0].prose) if found else set()
    return [Part(page, one, frozenset(common | used(one.prose))) for one in found if one.blocks]
