"""The table of peers and operations, for the documentation."""

from collections.abc import Mapping

from attrs import frozen

__all__ = ["Outcome", "as_markdown"]

_HEAD = """\
# Other clients on the simulator

Written by `nox -s interop`: each client is unmodified, in an environment of its own, with WeChat's own addresses, which
`wxasset simulate --intercept` answers for. "curl samples" are the samples of WeChat's own pages, letter for letter.
**ok**: as documented. **client**: a fault of the client, with its reason below. **-**: not offered by the client.
**WRONG**: a defect of the simulator.

"""


@frozen(kw_only=True)
class Outcome:
    """The outcome of one step of one peer."""

    offered: bool
    problem: str | None
    fault: str | None

    @property
    def is_wrong(self) -> bool:
        """Whether the step failed without a known fault, or succeeded in spite of one."""
        return self.offered and (self.problem is None) is not (self.fault is None)

    def __str__(self) -> str:
        if not self.offered:
            return "-"
        if self.is_wrong:
            return "WRONG"
        return "ok" if self.problem is None else "client"


def as_markdown(outcomes: Mapping[str, Mapping[str, Outcome]]) -> str:
    """Return the table, with the reasons of faults below it."""
    steps = list(next(iter(outcomes.values())))
    rows = [["client", *steps], ["---"] * (len(steps) + 1)]
    rows += [[name, *(str(one) for one in of.values())] for name, of in outcomes.items()]
    turned = [list(column) for column in zip(*(rows[:1] + rows[2:]), strict=True)]
    turned.insert(1, ["---"] * len(turned[0]))
    turned[0][0] = "operation"
    table = "\n".join(f"| {' | '.join(row)} |" for row in turned)
    faults: dict[tuple[str, str], list[str]] = {}
    for name, of in outcomes.items():
        for step, one in of.items():
            if str(one) == "client":
                faults.setdefault((name, str(one.fault)), []).append(step)
    reasons = "\n".join(f"- {name}, {', '.join(of)}: {reason}" for (name, reason), of in faults.items())
    return f"{_HEAD}{table}\n\n## Faults of clients\n\n{reasons or 'None.'}\n"
