"""Which request gets which fault: the rules that a test has set, and how much of them is used."""

import threading
from collections.abc import Callable, Iterable

from attrs import define, field

from wxasset.simulator.faults.language import NO_FAULT, Fault, parse_fault

__all__ = ["EVERYTHING", "LINK", "FaultRule", "FaultSchedule"]

EVERYTHING = "*"
LINK = "link"


@define(kw_only=True, eq=False)
class FaultRule:
    """One rule, as `Simulator.fail` returns it; `used` grows as requests meet their fault.

    Attributes:
        id: Its number, from 1.
        endpoint: The endpoint as it was given.
        fault: The fault.
        times: How many requests get it; None for all until the rules are reset.
        after: How many matching requests pass before.
        used: How many requests got it.
        passed: How many matching requests passed before.
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
    """The rules in their order. Any thread may set them."""

    def __init__(self, paths: Iterable[str], is_link: Callable[[str], bool]) -> None:
        """Know the paths of the API, and how to tell a link."""
        self._paths = tuple(paths)
        self._is_link = is_link
        self._rules: list[FaultRule] = []
        self._made = 0
        self._lock = threading.Lock()

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """The rules in their order."""
        return tuple(self._rules)

    def add(self, endpoint: str, fault: str | Fault, *, times: int | None, after: int) -> FaultRule:
        """Add a rule.

        Raises:
            ValueError: The endpoint, the fault, or a number is none.
        """
        if times is not None and (type(times) is not int or times < 1):
            raise ValueError(f"times is a whole number from 1, or None for all requests: {times!r}")
        if type(after) is not int or after < 0:
            raise ValueError(f"after is a whole number from 0: {after!r}")
        parsed = parse_fault(fault) if isinstance(fault, str) else fault
        paths = self._meant(endpoint)
        with self._lock:
            self._made += 1
            rule = FaultRule(id=self._made, endpoint=endpoint, fault=parsed, times=times, after=after, paths=paths)
            self._rules.append(rule)
        return rule

    def take(self, path: str) -> Fault:
        """The fault for a request: that of the first rule for it that is not used up, if it lets none pass any more."""
        link = self._is_link(path)
        with self._lock:
            for rule in self._rules:
                if not rule.meets(path, link=link) or rule.remaining == 0:
                    continue
                if rule.passed < rule.after:
                    rule.passed += 1
                    return NO_FAULT
                rule.used += 1
                return rule.fault
        return NO_FAULT

    def clear(self) -> None:
        """Forget all rules."""
        with self._lock:
            self._rules.clear()

    def _meant(self, endpoint: str) -> frozenset[str] | None:
        """The paths that an endpoint stands for; None for all."""
        if endpoint == EVERYTHING:
            return None
        if endpoint == LINK or endpoint in self._paths or self._is_link(endpoint):
            return frozenset({endpoint})
        named = [path for path in self._paths if path.rpartition("/")[2] == endpoint]
        if len(named) == 1:
            return frozenset(named)
        if named:
            raise ValueError(f"{endpoint!r} is the last part of several paths: give one of {', '.join(named)}")
        known = sorted({path.rpartition("/")[2] for path in self._paths})
        raise ValueError(
            f"unknown endpoint {endpoint[:80]!r}; known are {', '.join(known)}, their full paths, "
            f"{LINK!r} for the addresses of videos and cloud files, and {EVERYTHING!r} for all"
        )
