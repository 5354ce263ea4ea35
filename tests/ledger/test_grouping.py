"""How requests to a ledger are put together: what is urgent goes in the next turn of the loop."""

import asyncio
from collections.abc import Sequence

import pytest

from wxasset.ledger.grouping import Grouped

MOST = 6


class Turns:
    """Turns of the event loop, and the groups of requests with the turn in which each was worked on."""

    def __init__(self) -> None:
        self.count = 0
        self.groups: list[tuple[int, list[str]]] = []
        self.grouped: Grouped[str, None] = Grouped(self._work, turns=MOST)

    async def _work(self, group: Sequence[str]) -> Sequence[None]:
        self.groups.append((self.count, list(group)))
        return [None] * len(group)

    async def asked(self, *requests: tuple[int, str, bool]) -> list[tuple[int, list[str]]]:
        """Ask each request in its turn, and return the groups."""
        asking = []
        while self.count < MOST * 3:
            for turn, name, urgent in requests:
                if turn == self.count:
                    asking.append(asyncio.create_task(self.grouped.ask(name, urgent=urgent)))
            await asyncio.sleep(0)
            self.count += 1
        await asyncio.gather(*asking)
        return self.groups


async def test_a_request_waits_for_those_of_the_next_turns() -> None:
    """An outcome waits for the claim that follows from it."""
    ((_, group),) = await Turns().asked((0, "a", False), (1, "b", False), (MOST - 1, "c", False))
    assert group == ["a", "b", "c"]


async def test_an_urgent_request_waits_for_one_turn() -> None:
    """And is worked on five turns before another one."""
    ((urgent, _),) = await Turns().asked((0, "a", True))
    ((patient, _),) = await Turns().asked((0, "a", False))
    assert patient - urgent == MOST - 1


@pytest.mark.parametrize("turn", range(1, MOST - 1))
async def test_an_urgent_request_takes_along_those_that_wait(turn: int) -> None:
    """Also one that is asked after it in the same turn."""
    ((at, group),) = await Turns().asked((0, "a", False), (turn, "b", True), (turn, "c", False))
    ((alone, _),) = await Turns().asked((turn, "b", True))
    assert group == ["a", "b", "c"]
    assert at <= alone


async def test_an_urgent_request_makes_none_urgent_that_comes_after_its_group() -> None:
    """The next group waits as long as the first one of others."""
    (_, (last, _)) = await Turns().asked((0, "a", True), (MOST, "b", False))
    ((alone, _),) = await Turns().asked((MOST, "b", False))
    assert last == alone
