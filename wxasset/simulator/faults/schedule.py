"""Fault rules set by a test, their assignment to requests, and their usage."""

import threading
from collections.abc import Callable, Iterable

from attrs import define, field

from wxasset.simulator.faults.language import NO_FAULT, Fault, parse_fault
from wxasset.simulator.structuring import near_and_known

__all__ = ["EVERYTHING", "LINK", "FaultRule", "FaultSchedule"]

EVERYTHING = "*"
LINK = "link"


@define(kw_only=True, eq=False)
class FaultRule:
    """One rule, as returned by `Simulator.fail`; `used` is updated with each request.

    Attributes:
        id: Number of the rule, from 1.
        endpoint: The endpoint as given.
        fault: The fault.
        times: Number of requests to fail; None for all until the rules are reset.
        after: Number of matching requests to let pass first.
        used: Number of requests with this fault so far.
        passed: Number of matching requests passed so far.
    """

    id: int
    endpoint: str
    fault: Fault
    times: int | None
    after: int
    used: int = 0
    passed: int = 0
    _paths: frozenset[str] | None = field(alias="paths", repr=False)

    @property
    def remaining(self) -> int | None:
        """Number of requests left for the rule; None without a limit."""
        return None if self.times is None else self.times - self.used

    @property
    def unused(self) -> bool:
        """Return True if the rule was used less often than requested, or never if unlimited."""
        return self.used == 0 if self.times is None else self.used < self.times

    def meets(self, path: str, *, link: bool) -> bool:
        """Return True if the rule applies to a request."""
        if self._paths is None:
            return True
        return path in self._paths or (link and LINK in self._paths)


class FaultSchedule:
    """Fault rules in order. Any thread may add them."""

    def __init__(self, paths: Iterable[str], is_link: Callable[[str], bool]) -> None:
        """Create a schedule for the paths of the API; `is_link` identifies links."""
        self._paths = tuple(paths)
        self._is_link = is_link
        self._rules: list[FaultRule] = []
        self._active: list[FaultRule] = []
        self._made = 0
        self._lock = threading.Lock()

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """The rules in order."""
        return tuple(self._rules)

    def add(self, endpoint: str, fault: str | Fault, *, times: int | None, after: int) -> FaultRule:
        """Add a rule.

        Raises:
            ValueError: The endpoint, the fault, or a number is invalid.
        """
        if times is not None and (type(times) is not int or times < 1):
            raise ValueError(f"times must be a whole number of at least 1, or None for all requests, got {times!r}")
        if type(after) is not int or after < 0:
            raise ValueError(f"after must be a whole number of at least 0, got {after!r}")
        parsed = parse_fault(fault) if isinstance(fault, str) else fault
        paths = self._meant(endpoint)
        with self._lock:
            self._made += 1
            rule = FaultRule(id=self._made, endpoint=endpoint, fault=parsed, times=times, after=after, paths=paths)
            self._rules.append(rule)
            self._active.append(rule)
        return rule

    def take(self, path: str) -> Fault:
        """Return the fault for a request.

        The first matching rule with requests left applies; no fault while it lets requests pass.
        """
        link = self._is_link(path)
        with self._lock:
            for index, rule in enumerate(self._active):
                if not rule.meets(path, link=link):
                    continue
                if rule.passed < rule.after:
                    rule.passed += 1
                    return NO_FAULT
                rule.used += 1
                if rule.remaining == 0:
                    del self._active[index]
                return rule.fault
        return NO_FAULT

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()
            self._active.clear()

    def _meant(self, endpoint: str) -> frozenset[str] | None:
        """Return the paths of an endpoint; None for all."""
        if endpoint == EVERYTHING:
            return None
        if endpoint == LINK or endpoint in self._paths or self._is_link(endpoint):
            return frozenset({endpoint})
        named = [path for path in self._paths if path.rpartition("/")[2] == endpoint]
        if len(named) == 1:
            return frozenset(named)
        if named:
            raise ValueError(f"{endpoint!r} is the last part of several paths; use one of {', '.join(named)}")
        known = sorted({path.rpartition("/")[2] for path in self._paths})
        raise ValueError(
            f"unknown endpoint {endpoint[:80]!r}{near_and_known(endpoint, known)}, their full paths, "
            f"{LINK!r} for the URLs of videos and cloud files, and {EVERYTHING!r} for all"
        )
