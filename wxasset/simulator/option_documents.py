"""Options as documents of JSON and TOML, changes to them, and presets of accounts."""

from collections.abc import Mapping
from typing import Any, Final, get_type_hints

from attrs import evolve, fields

from wxasset.simulator.endpoints.table import ENDPOINTS
from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.structuring import convert, hint_at

__all__ = ["FIXED", "PRESETS", "changed", "option_types", "own_options", "preset", "to_document"]

PRESETS: Final[Mapping[str, Mapping[str, object]]] = {
    # Documented for test accounts (0.7). Their limits of material/* are not documented.
    "sandbox": {
        "daily_limits": {"/cgi-bin/token": 200, "/cgi-bin/media/upload": 500, "/cgi-bin/media/get": 1_000},
    },
    "mini_program": {"account_kind": "mini_program"},
    "unverified": {"verified": False},
}
"""Options of an account that differ from the defaults, by the name of the preset."""

FIXED: Final = frozenset(
    {"host", "port", "seed", "expires_in", "tls", "intercept", "state", "public_url", "control", "control_token"}
)
"""Settings of the server, not of the service: they cannot change while it runs."""


_BY_PATH: Final = ("daily_limits", "minute_limits", "unauthorized_paths")


def option_types() -> dict[str, Any]:
    """Return the types of the options by name."""
    return get_type_hints(SimulatorOptions)


def to_document(options: SimulatorOptions) -> dict[str, object]:
    """Return options as values of JSON."""
    return {one.name: _plain(getattr(options, one.name)) for one in fields(SimulatorOptions)}


def changed(
    options: SimulatorOptions, document: Mapping[str, object], *, running: bool = False, kept: bool = False
) -> SimulatorOptions:
    """Return options with other values.

    Args:
        options: The options before.
        document: The new values by name.
        running: The server runs already: settings that cannot change are named in the error.
        kept: The document was written by a simulator: its paths are taken as they are.

    Raises:
        ValueError: An option is unknown, cannot change, or has a wrong type or value.
    """
    types = option_types()
    for name, value in document.items():
        if running and (name in FIXED or (name in types and _is_fixed(name))):
            raise ValueError(f"{name[:80]} cannot change while the server runs; restart it with another value")
        if name not in types:
            raise ValueError(f"unknown option {name[:80]!r}{hint_at(name, types) or _all(types)}")
        try:
            converted = convert(name, types[name], value)
            if not kept:
                _check_paths(name, converted)
            options = evolve(options, **{name: converted})
        except (TypeError, ValueError) as error:
            text = str(error.args[0]).replace(f"'{name}'", name)
            raise ValueError(text if name in text else f"{name}: {text}") from None
    return options


def preset(name: str) -> SimulatorOptions:
    """Return the options of a preset.

    Raises:
        ValueError: There is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name[:80]!r}; known are {', '.join(PRESETS)}{hint_at(name, PRESETS)}")
    return changed(SimulatorOptions(), PRESETS[name])


def own_options(name: str | None, document: Mapping[str, object] | None) -> SimulatorOptions | None:
    """Return the options of a new account, by a preset and changes to it; None if it has none of its own.

    Raises:
        ValueError: The preset or an option is unknown or invalid.
    """
    if name is None and document is None:
        return None
    return changed(SimulatorOptions() if name is None else preset(name), document or {})


def _check_paths(name: str, value: Any) -> None:
    """Raise ValueError for a path that the simulator does not serve: it would have no effect."""
    for path in value if name in _BY_PATH else ():
        if path.startswith("/") and path not in ENDPOINTS:
            near = hint_at(path, ENDPOINTS) or "; GET /_sim/ shows a page with the paths in use"
            raise ValueError(f"{name}: unknown path {path[:80]!r}{near}")


def _is_fixed(name: str) -> bool:
    return bool(next(one for one in fields(SimulatorOptions) if one.name == name).metadata.get("fixed"))


def _all(types: Mapping[str, Any]) -> str:
    return f"; known are {', '.join(types)}"


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return dict(value) if isinstance(value, Mapping) else value
