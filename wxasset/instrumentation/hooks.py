"""Hooks for the events of a session, and scopes around operations and attempts. Pure."""

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from attrs import Attribute, field, frozen

from wxasset.errors import UsageError
from wxasset.wire.values import Value

if TYPE_CHECKING:
    from wxasset.instrumentation.events import Event, Started

__all__ = ["NO_HOOKS", "Hooks"]

_log: Final = logging.getLogger("wxasset.hooks")


def _plain(_: object, attribute: "Attribute[Any]", value: object) -> None:
    name = attribute.name
    if value is not None and not callable(value):
        raise UsageError(f"{name}= is a function of one event; not {type(value).__name__}.")
    if inspect.iscoroutinefunction(value):
        raise UsageError(f"{name}= is an async function, and events are told without waiting: pass a plain one.")


@frozen(kw_only=True, eq=False, repr=False)
class Hooks(Value):
    """Callbacks for the events of a session.

    Both are plain functions, called in the event loop, so they must not block. What one of them raises breaks no call:
    it is logged under ``wxasset.hooks`` with its traceback, once for each kind of event.

    Attributes:
        on_event: Called with each event, inside its scope.
        around: Called with each `Started` event before `on_event` is; gives the context manager inside which the
            operation, attempt or fetch takes place, in its task. It sees the error on leaving, and cannot suppress it.
        listening: Whether there is either of them.
    """

    on_event: "Callable[[Event], object] | None" = field(default=None, validator=_plain)
    around: "Callable[[Started], AbstractContextManager[object]] | None" = field(default=None, validator=_plain)
    listening: bool = field(init=False, eq=False, repr=False)
    _complained: set[tuple[str, type]] = field(factory=set, init=False, eq=False, repr=False)

    @listening.default
    def _is_listening(self) -> bool:
        return self.on_event is not None or self.around is not None

    def also(self, other: "Hooks") -> "Hooks":
        """Return hooks for both: these first, then the other; their scopes are the outer ones."""
        if not (self.listening and other.listening):
            return self if self.listening else other

        def on_event(event: "Event") -> None:
            self.tell(event)
            other.tell(event)

        @contextmanager
        def around(event: "Started") -> Iterator[None]:
            with self.scope(event), other.scope(event):
                yield

        return Hooks(on_event=on_event, around=around)

    def tell(self, event: "Event") -> None:
        """Emit an event; errors of hooks are logged, not raised."""
        if self.on_event is not None:
            try:
                self.on_event(event)
            except Exception:  # noqa: BLE001 - who watches must not disturb
                self.complain("on_event", event)

    def scope(self, event: "Started") -> AbstractContextManager[object]:
        """Return the scope of a start event; errors of hooks are logged, not raised."""
        return nullcontext() if self.around is None else _Scope(self, event)

    def complain(self, hook: str, event: "Event") -> None:
        """Log the current exception of a hook, once for each kind of event."""
        if (hook, type(event)) not in self._complained:
            self._complained.add((hook, type(event)))
            _log.exception("a hook failed (%s, for %s); this is said once", hook, type(event).__name__)


NO_HOOKS: Final = Hooks()
"""Nobody is told."""


class _Scope(AbstractContextManager[None]):
    """A hook's context manager; its errors neither break nor hide the block."""

    def __init__(self, hooks: Hooks, event: "Started") -> None:
        self._hooks = hooks
        self._event = event
        self._opened: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        try:
            if self._hooks.around is not None:
                opened = self._hooks.around(self._event)
                opened.__enter__()
                self._opened = opened
        except Exception:  # noqa: BLE001 - who watches must not disturb
            self._hooks.complain("around", self._event)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is None:
            return
        try:
            self._opened.__exit__(kind, error, traceback)
        except Exception as failure:  # noqa: BLE001 - who watches must not disturb
            if failure is not error:
                self._hooks.complain("around", self._event)
