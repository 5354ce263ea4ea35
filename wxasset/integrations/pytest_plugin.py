"""Fixtures for the tests of applications that use wxasset. pytest finds them by itself where wxasset is installed.

`wx_simulator` is a `wxasset.simulator.Simulator` that listens, in a thread of its own: so it also serves a test that is
not asynchronous, and an application that runs in a loop of its own, as under a TestClient. Its methods may be called
from the test's thread. `wx_session` is a `WxSession` on it, for asynchronous tests under any plugin (anyio's,
pytest-asyncio), for `asyncio.run` and for a TestClient. Each event loop gets its own connections, closed at its end.

`wx_simulator.advance` moves the clock of `wx_session` as well. A session of the application replaces its token when
WeChat calls it expired; ``TokenCache(source, now=wx_simulator.now, clock=wx_simulator.now)`` gives it the same clock.

`wx_intercepted` is the same simulator, which also answers for https://api.weixin.qq.com and the other hosts of WeChat.
Clients are created in the test, and respect the proxy and the certificates of the environment. It needs the extra
``wxasset[intercept]``.

A test that passes fails after all if it set a fault that no request met: it did not test what it meant to. The ini
option `wxasset_unused_faults = ignore` switches that off, `wx_simulator.clear_faults()` does for one test.
"""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from wxasset.session import WxSession
    from wxasset.simulator import Simulator

__all__ = ["pytest_addoption", "pytest_runtest_makereport", "wx_intercepted", "wx_session", "wx_simulator"]

_OPTION = "wxasset_unused_faults"
_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini(_OPTION, "what becomes of a test with faults that no request met: fail or ignore", default="fail")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test failed: its faults that were not met are no news then."""
    if call.excinfo is not None:
        item.stash[_FAILED] = True
    return (yield)


@pytest.fixture
def wx_simulator(request: pytest.FixtureRequest) -> "Iterator[Simulator]":
    """A simulator of WeChat that listens on a free port of the loopback interface."""
    from wxasset.simulator import Simulator  # noqa: PLC0415 - costs runs that do not use it nothing

    mode = request.config.getini(_OPTION)
    if mode not in ("fail", "ignore"):
        raise pytest.UsageError(f"{_OPTION} is fail or ignore, not {mode!r}")
    with Simulator(intercept="wx_intercepted" in request.fixturenames) as simulator:
        yield simulator
        unused = simulator.unused_faults
    if unused and mode == "fail" and not request.node.stash.get(_FAILED, False):
        lines = [f"  {one.endpoint}: {one.fault} (met {one.used} of {one.times or 'any'} times)" for one in unused]
        pytest.fail("\n".join(("faults that no request met:", *lines)), pytrace=False)


@pytest.fixture
def wx_session(wx_simulator: "Simulator") -> "WxSession":
    """A session on `wx_simulator`, which retries without waiting."""
    from wxasset.integrations.pytest_session import session_on  # noqa: PLC0415 - costs runs that do not use it nothing

    return session_on(wx_simulator)


@pytest.fixture
def wx_intercepted(wx_simulator: "Simulator", monkeypatch: pytest.MonkeyPatch) -> "Iterator[Simulator]":
    """`wx_simulator`, found by clients and programs of this test under WeChat's own addresses."""
    with wx_simulator.intercepted() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield wx_simulator
