"""Draws what the command line shows for the README: the real output of a real terminal, as SVG.

    nox -s screenshots

It is Unix only, which has pseudo-terminals.
"""

import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

IMAGES: Final = Path(__file__).parents[2] / ".github" / "images"
COLUMNS: Final = 92  # the widest line of the demonstration, and a little
FONTS: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_CELL: Final = 12.2  # the width that rich gives a cell, in the units of the picture
_TEXT: Final = re.compile(r'(<text class="wxasset-r\d+" x=")([\d.]+)("[^>]*?)textLength="[\d.]+"([^>]*>)([^<]*)</text>')
_SECONDS: Final = 60  # the demonstration takes one


def shown(*arguments: str) -> str:
    """What `wxasset` writes to a terminal, colours and all; what it says on the way goes elsewhere."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-m", "wxasset", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        os.close(theirs)
        written = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        status = process.wait(_SECONDS)
    if status:
        raise SystemExit(f"wxasset {' '.join(arguments)} ended with {status}")
    return written.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # on Linux the end of a terminal is an error
        return b""


def draw(text: str, title: str) -> str:
    """The SVG of a terminal that shows a text. Its ids do not change from run to run."""
    lines = text.strip("\n")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi(f"$ {title}\n{lines}"))
        svg = console.export_svg(title=title, unique_id="wxasset")
    # No font is fetched from anywhere, which a picture on a page may not do; every system has one of these.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", FONTS)
    svg = svg.replace("        font-variant-east-asian: full-width;\n", "")
    return _TEXT.sub(_in_its_columns, svg)


def _in_its_columns(found: re.Match[str]) -> str:
    """Place each word by itself: rich counts characters here, and a Chinese one takes two cells."""
    head, start, middle, rest, escaped = found.groups()
    text = html.unescape(escaped)
    drawn = []
    for word in re.finditer(r"\S+(?: \S+)*", text.replace("\N{NO-BREAK SPACE}", " ")):
        place = float(start) + cell_len(text[: word.start()]) * _CELL
        width = cell_len(word[0]) * _CELL
        shown_as = html.escape(word[0], quote=False).replace(" ", "&#160;")
        drawn.append(f'{head}{place:g}{middle}textLength="{width:g}"{rest}{shown_as}</text>')
    return "".join(drawn)


def main() -> None:
    """Draw them all."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    picture = draw(shown("demo"), "wxasset demo")
    (IMAGES / "demo.svg").write_text(picture, "utf-8")
    print(f"{IMAGES / 'demo.svg'}: {len(picture):,} bytes")


if __name__ == "__main__":
    main()
