"""Tables of the pages that come from the package: ``python tests/support/generated.py`` writes them.

A table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``. Chinese pages have those whose text is data of
the package in both languages; the others are written there by hand, and compared row by row.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from inspect import cleandoc, getdoc
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any, Final

import attrs
from cyclopts import App

from wxasset.cli import program
from wxasset.cli.runtime.exit_codes import EXIT_CODES
from wxasset.errors.hints import HINTS
from wxasset.simulator import SimulatorOptions, faults
from wxasset.simulator.options import CHOSEN_ERRCODES
from wxasset.wire import limits
from wxasset.wire.error_replies import api_error

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
MARKED: Final = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
ALL_COMMANDS: Final = "Options of every command"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; a bar in a cell does not end it."""
    lines = [[*head], ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _words(text: str) -> str:
    """Return a text in one line, with code spans of docstrings as those of Markdown."""
    return " ".join(text.replace("``", "`").split())


def upload_limits(language: str) -> str:
    """Limits of uploads, by call and type."""
    calls = {
        "add_material": limits.ADD_MATERIAL,
        "upload_media": limits.UPLOAD_MEDIA,
        "upload_image": limits.UPLOAD_IMAGE,
        "upload_file": {"": limits.CLOUD_FILE},
    }
    head = {"en": ("call", "type", "bytes", "seconds", "formats"), "zh": ("调用", "类型", "字节", "秒", "格式")}
    rows = [
        (
            *(f"`{call}`", f"`{kind}`" if kind else "—", f"{one.max_bytes:,}"),
            *(str(one.max_seconds or "—"), ", ".join(sorted(one.formats)) or {"en": "any", "zh": "任意"}[language]),
        )
        for call, kinds in calls.items()
        for kind, one in kinds.items()
    ]
    return table(head[language], rows)


def codes(language: str) -> str:
    """Codes of WeChat with their classes and hints."""
    head = {"en": ("code", "class", "what to do"), "zh": ("错误码", "类", "处理办法")}
    rows = [
        (
            f"`{code}`",
            f"`{type(api_error(code, '', '/')).__name__}`",
            hint.english if language == "en" else hint.chinese,
        )
        for code, hint in sorted(HINTS.items(), key=lambda one: (one[0] >= 0, abs(one[0])))
    ]
    return table(head[language], rows)


def statuses(language: str) -> str:
    """Exit statuses of the commands."""
    assert language == "en"
    found = re.findall(r"^  (\d+) +(.+)$", EXIT_CODES, re.MULTILINE)
    return table(("status", "meaning"), [(f"`{status}`", text) for status, text in found])


def fault_words(language: str) -> str:
    """Words of faults."""
    assert language == "en"
    rows = re.findall(r"^\|.*\|$", faults.__doc__ or "", re.MULTILINE)
    return "".join(f"{row}\n" for row in rows)


def _described(owner: type) -> dict[str, str]:
    """Return the descriptions of the attributes of a class."""
    (text,) = re.findall(r"^Attributes:\n((?s:.*?))(?=^\S|\Z)", getdoc(owner) or "", re.MULTILINE)
    return {
        name: _words(said) for name, said in re.findall(r"^    (\w+): ((?s:.*?))(?=^    \w|\Z)", text, re.MULTILINE)
    }


def _default(value: Any) -> str:
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # a class for all that is not the checker's
        return "`{}`"
    return "—" if value is None else f"`{sorted(value) if isinstance(value, frozenset) else value}`"


def simulator_options(language: str) -> str:
    """Fields of `SimulatorOptions`."""
    assert language == "en"
    described = _described(SimulatorOptions)
    rows = [(f"`{one.name}`", _default(one.default), described[one.name]) for one in attrs.fields(SimulatorOptions)]
    return table(("option", "default", "effect"), rows)


def causes(language: str) -> str:
    """Causes of chosen error codes."""
    head = {"en": ("cause", "default"), "zh": ("原因", "默认值")}
    return table(head[language], [(f"`{cause}`", f"`{code}`") for cause, code in CHOSEN_ERRCODES.items()])


def _commands(app: App) -> Iterator[tuple[str, Any]]:
    """Yield the commands in order, with those of groups under their whole names."""
    for name in app:
        if name.startswith("-"):
            continue
        children = [one for one in app[name] if not one.startswith("-")]
        if children:
            yield from ((f"{name} {one}", app[name][one]) for one in children)
        else:
            yield name, app[name]


def _options(command: Any) -> Iterator[tuple[str, str, str]]:
    """Yield name, group and description of each argument and option of a command."""
    for one in command.assemble_argument_collection(parse_docstring=True):
        if one.names[0] == "*" or one.parameter.show is False:
            continue
        names = ", ".join(f"`{name}`" for name in one.names if not name.startswith("--no-"))
        yield names, one.parameter.group[0].name, _words(one.parameter.help or "")


def commands(language: str) -> str:
    """Each command with its usage, its summary and its options; those of all commands stand first."""
    assert language == "en"
    app = program()
    every = [(name, said) for name, group, said in _options(app["count"]) if group == ALL_COMMANDS]
    parts = ["Every command has these options:\n", table(("option", "effect"), every)]
    for name, command in _commands(app):
        own = [(one, said) for one, group, said in _options(command) if group != ALL_COMMANDS]
        said = cleandoc(command.help or "").partition("\nArgs:")[0].strip()
        paragraphs = [_words(part) for part in said.split("\n\n") if not part.startswith("Example:")]
        parts.append(f"### wxasset {name}\n")
        parts.append("\n\n".join(paragraphs) + "\n")
        if name == "simulate":
            own = [(one, text) for one, text in own if one.strip("`-").replace("-", "_") not in _FIELDS]
            parts.append(
                "The [options of the simulated service](simulator.md#options) are options of this command too.\n"
            )
        if own:
            parts.append(table(("argument", "meaning"), own))
    return "\n".join(parts)


_FIELDS: Final = {one.name for one in attrs.fields(SimulatorOptions)}


def recipe(file: str) -> Callable[[str], str]:
    """Return the code of a recipe that `nox -s queues` runs, the same in each language."""
    text = (ROOT / "tests" / "queues" / f"{file}_uploads.py").read_text("utf-8")
    return lambda _: f"```python {file}\n{text}```\n"


MEASURED: Final = {
    ("upload", True, 10_485_760, 8): ("upload 10 MB by path, 8 at a time", "按路径上传 10 MB，并发 8"),
    ("upload", True, 65_536, 8): ("upload 64 KB by path, 8 at a time", "按路径上传 64 KB，并发 8"),
    ("download", True, 10_485_760, 8): ("download 10 MB to disk, 8 at a time", "下载 10 MB 到磁盘，并发 8"),
    ("json", False, 0, 64): ("JSON calls without TLS, 64 at a time", "不走 TLS 的 JSON 调用，并发 64"),
}
"""Comparisons of the benchmarks: section, whether over TLS, bytes of a file, and how many at a time."""
PEERS: Final = {
    "asyncio streams": ("asyncio, by hand", "手写 asyncio"),
    "curl --parallel": ("curl --parallel", "curl --parallel"),
    "naive aiohttp": ("aiohttp, `FormData`", "aiohttp，`FormData`"),
    "httpx": ("httpx", "httpx"),
    "wechatpy": ("wechatpy, threads", "wechatpy，多线程"),
}


def ratio(comparison: dict[str, Any], peer: str) -> str:
    """Return the median of the ratios of wxasset's rate to a peer's, round by round."""
    runs = {one["client"]: one["samples"] for one in comparison["runs"]}
    pairs = zip(runs["wxasset"], runs[peer], strict=True)
    rates = [mine["count"] / mine["seconds"] / its["count"] * its["seconds"] for mine, its in pairs]
    return f"{median(rates):.2f}"


def speed(language: str) -> str:
    """Rates against other clients, from the results of the benchmarks."""
    results = json.loads((ROOT / "benchmarks" / "results" / "results.json").read_text("utf-8"))
    key = itemgetter("section", "tls", "size", "concurrency")
    found = {key(one): one for one in results["comparisons"]}
    number = ("en", "zh").index(language)
    rows = [(titles[number], *(ratio(found[what], peer) for peer in PEERS)) for what, titles in MEASURED.items()]
    return table(("", *(names[number] for names in PEERS.values())), rows)


TABLES: Final[dict[str, Callable[[str], str]]] = {
    "limits": upload_limits,
    "codes": codes,
    "statuses": statuses,
    "commands": commands,
    "faults": fault_words,
    "options": simulator_options,
    "causes": causes,
    "speed": speed,
    "taskiq": recipe("taskiq"),
    "procrastinate": recipe("procrastinate"),
}


def filled(path: Path) -> str:
    """Return the text of a page with its tables as they should be."""
    language = "zh" if path.is_relative_to(DOCS / "zh") else "en"
    return MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]](language)}\n{found[4]}", path.read_text("utf-8"))


def main() -> None:
    """Write the tables into the README and all pages."""
    for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))):
        text = filled(path)
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
