"""Options of the simulator on the command line and in a TOML file, generated from `SimulatorOptions`."""

import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, TypeVar, cast, get_args, get_origin

from attrs import field, frozen, make_class
from cyclopts import Group, Parameter

from wxasset.errors import UsageError
from wxasset.simulator.option_documents import changed, option_types
from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.structuring import from_text, hint_at, shape_of, structure

__all__ = [
    "AccountEntry",
    "FaultEntry",
    "OptionsFile",
    "account_entry",
    "checked",
    "fault_entry",
    "flag_class",
    "given",
    "line_of",
    "options_of",
    "read_options",
    "sentence",
]

T = TypeVar("T")
_GROUP: Final = Group("Behaviour of the simulated service", sort_key=50)
_RULE = re.compile(r"([^=]+)=(.*?)((?:;(?:times|after)=[^;]*)*)", re.DOTALL)
_TIMES: Final = {"all": None}


@frozen(kw_only=True)
class FaultEntry:
    """A fault rule."""

    endpoint: str
    fault: str
    times: int | None = 1
    after: int = 0


@frozen(kw_only=True)
class AccountEntry:
    """A further account."""

    appid: str | None = None
    secret: str | None = field(default=None, repr=False)
    preset: str | None = None
    options: dict[str, object] | None = None


@frozen
class OptionsFile:
    """Content of a file of options.

    Attributes:
        options: Options of the service by name.
        faults: Fault rules.
        accounts: Further accounts.
    """

    options: Mapping[str, object]
    faults: Sequence[FaultEntry] = ()
    accounts: Sequence[AccountEntry] = ()


def flag_class() -> type:
    """Return a class with a flag for each option, for cyclopts; None stands for an option not given."""
    texts = dict(_descriptions())
    members = {name: _flag(kind, texts.get(name, "")) for name, kind in option_types().items()}
    return make_class("ServiceOptions", members, frozen=True, kw_only=True)


def given(flags: object | None) -> dict[str, object]:
    """Return the options given on the command line as values of JSON."""
    types = option_types()
    values = {name: getattr(flags, name, None) for name in types}
    return {
        name: value if isinstance(value, bool) else from_text(types[name], _texts(value))
        for name, value in values.items()
        if value is not None and value != ()
    }


def fault_entry(text: str) -> FaultEntry:
    """Parse a rule of --fault: `ENDPOINT=FAULT`, with `;times=N` (or `all`) and `;after=N` behind it.

    Raises:
        UsageError: It has another form.
    """
    match = _RULE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--fault must be like add_material=errcode:45009 or '*=html;times=all;after=2', got {text!r}."
        )
    numbers = dict(part.split("=", 1) for part in match[3].split(";") if part)
    document: dict[str, object] = {"endpoint": match[1], "fault": match[2]}
    document |= {name: _TIMES.get(one, from_text(int, one)) for name, one in numbers.items()}
    return checked(f"--fault {text[:80]}", FaultEntry, document)


def account_entry(text: str) -> AccountEntry:
    """Parse an account of --add-account: `APPID`, or `APPID:PRESET`."""
    appid, _, preset = text.partition(":")
    return AccountEntry(appid=appid or None, preset=preset or None)


def checked(place: str, cls: type[T], document: Mapping[str, object]) -> T:
    """Build an object from a document.

    Raises:
        UsageError: The document is invalid; the message begins with its place.
    """
    try:
        return structure(cls, document)
    except ValueError as error:
        raise UsageError(f"{place}: {sentence(error)}") from None


def options_of(file: OptionsFile, flags: Mapping[str, object]) -> SimulatorOptions:
    """Return the options of a file, changed by those of the command line.

    Raises:
        UsageError: A value of the command line is invalid.
    """
    options = changed(SimulatorOptions(), file.options)
    for name, value in flags.items():
        try:
            options = changed(options, {name: value})
        except ValueError as error:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(sentence(error).replace(name, flag, 1).replace("or null", "or none")) from None
    return options


def read_options(path: Path | None) -> OptionsFile:
    """Read a TOML file with options, and with tables `[[faults]]` and `[[accounts]]`; None has none of them.

    Raises:
        UsageError: The file cannot be read, is not TOML, or has an unknown or invalid entry.
    """
    if path is None:
        return OptionsFile({})
    try:
        text = path.read_text("utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"The options in {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The options in {path} cannot be read: it is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from None
    types = option_types()
    for name, value in document.items():
        if name in ("faults", "accounts"):
            continue
        place = f"{path}, line {line_of(text, name)}"
        if name not in types:
            near = hint_at(name, [*types, "faults", "accounts"]) or "; wxasset simulate --help lists them."
            raise UsageError(f"{place}: unknown option {name[:80]!r}{near}")
        try:
            changed(SimulatorOptions(), {name: value})
        except ValueError as error:
            raise UsageError(f"{place}: {sentence(error)}") from None
    return OptionsFile(
        {name: value for name, value in document.items() if name in types},
        _tables(path, document.get("faults", []), "faults", FaultEntry),
        _tables(path, document.get("accounts", []), "accounts", AccountEntry),
    )


def line_of(text: str, name: str) -> int:
    """Return the number of the line of a key or a table in a TOML text; 1 if it is written in another way."""
    match = re.search(rf"^[ \t]*(?:\[+\s*)?[\"']?{re.escape(name)}[\"']?\s*[=\].]", text, re.MULTILINE)
    return 1 if match is None else text.count("\n", 0, match.start()) + 1


def sentence(error: ValueError) -> str:
    """Return the text of an error with a period at its end."""
    text = " ".join(str(error).split())
    return text if text.endswith(("?", ".")) else f"{text}."


def _tables(path: Path, tables: object, name: str, cls: type[T]) -> list[T]:
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise UsageError(f"{path}: {name} must be tables, each headed by [[{name}]].")
    return [checked(f"{path}, [[{name}]] number {number}", cls, one) for number, one in enumerate(tables, 1)]


def _texts(value: object) -> str | list[str]:
    return value if isinstance(value, str) else [str(one) for one in value]  # type: ignore[attr-defined]


def _descriptions() -> Iterator[tuple[str, str]]:
    """Yield the first sentence about each option in the docstring of the class."""
    documented = inspect.cleandoc(SimulatorOptions.__doc__ or "").partition("Attributes:\n")[2]  # `python -OO`: none
    for entry in re.split(r"\n(?=    \w+: )", documented):
        name, _, text = entry.strip().partition(": ")
        yield name, re.split(r"(?<=[.)])\s", " ".join(text.split()))[0]


def _flag(kind: Any, text: str) -> Any:
    plain = [one for one in get_args(kind) if one is not NoneType]
    inner = plain[0] if NoneType in get_args(kind) else kind
    several = isinstance(get_origin(inner), type)
    form = _repeated(inner) if several else shape_of(kind).replace("null", "none")
    shown = text if kind is bool else f"{text.removesuffix('.')} ({form})."
    parameter = Parameter(help=shown, group=_GROUP, show_default=False, negative=None if kind is bool else "")
    typed: Any = bool | None if kind is bool else tuple[str, ...] if several else str | None
    return field(default=() if several else None, type=cast("Any", Annotated[typed, parameter]))


def _repeated(kind: Any) -> str:
    pairs = issubclass(get_origin(kind), Mapping)
    return "NAME=NUMBER, separated by commas or given several times" if pairs else "separated by commas, or repeated"
