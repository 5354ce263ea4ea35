"""What the tests of the README and of the pages share: their sections, and the code in them."""

import re
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]


@frozen
class Block:
    """A fenced block: its language, what the tests know it by ("" for most), and its text."""

    language: str
    kind: str
    text: str


@frozen
class Section:
    """A heading with what stands below it, up to the next one."""

    document: str
    level: int
    heading: str
    text: str

    @property
    def blocks(self) -> list[Block]:
        """Its fenced blocks, in order."""
        found = re.findall(r"^```(\w*) ?(.*)\n((?s:.*?))^```$", self.text, flags=re.MULTILINE)
        return [Block(language, kind, text) for language, kind, text in found]

    @property
    def prose(self) -> str:
        """What is left without the blocks."""
        return re.sub(r"^```(?s:.*?)^```$", "", self.text, flags=re.MULTILINE)

    @property
    def table_rows(self) -> list[str]:
        """The lines of its tables."""
        return re.findall(r"^\|.*\|$", self.prose, flags=re.MULTILINE)

    @property
    def code_spans(self) -> list[str]:
        """The code in its sentences and tables."""
        return re.findall(r"`([^`\n]+)`", self.prose)

    @property
    def links(self) -> list[str]:
        """Where its links and images lead."""
        return re.findall(r"\]\(([^)]+)\)", self.prose)

    @property
    def anchor(self) -> str:
        """The heading as GitHub makes an address of it."""
        return re.sub(r"[^\w\- ]", "", self.heading.lower()).replace(" ", "-")


def sections(document: str) -> list[Section]:
    """The sections of the README or of a page, in order."""
    text = (ROOT / document).read_text("utf-8")
    fenced = re.split(r"(^```(?s:.*?)^```$)", text, flags=re.MULTILINE)
    # A comment in a block is no heading.
    marked = "".join(
        part if number % 2 else re.sub(r"^(#+ )", "\0\\1", part, flags=re.MULTILINE)
        for number, part in enumerate(fenced)
    )
    found = []
    for part in marked.split("\0")[1:]:
        head, _, body = part.partition("\n")
        marks, _, heading = head.partition(" ")
        found.append(Section(document, len(marks), heading, body))
    return found


def blocks(document: str, language: str, kind: str) -> list[str]:
    """The texts of all blocks of a kind."""
    every = [one for section in sections(document) for one in section.blocks]
    return [one.text for one in every if (one.language, one.kind) == (language, kind)]
