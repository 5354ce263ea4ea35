"""A program of its own that forks between the calls of one session.

Argument: the API's address; a second one runs uvloop. The parent makes a call, forks, waits for the child's call, and
makes another call on its first connection; a second child makes no call. These two exit in the usual way, so that their
destructors run. A third one is forked, and makes a call, while the loop of the parent runs.
"""

import asyncio
import os
import sys
import traceback
import warnings

from wxasset import WxSession


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    """Return a new event loop, of uvloop if asked for."""
    if kind == "asyncio":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 - an extra

    return uvloop.new_event_loop()


def call_in_child(wx: WxSession, kind: str) -> None:
    """Make a call in a loop of the child's own."""
    other = new_loop(kind)
    other.run_until_complete(wx.count_materials())
    other.run_until_complete(wx.aclose())
    other.close()


async def fork_and_call(wx: WxSession, kind: str) -> int:
    """Fork while the loop runs; return the status of the child, which makes a call."""
    child = os.fork()
    if child == 0:
        try:
            call_in_child(wx, kind)
        except Exception:  # noqa: BLE001 - the parent shows it
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]  # noqa: ASYNC222 - the loop has nothing else to do


def main(url: str, kind: str) -> None:
    """Call, fork, call in both processes."""
    # uvloop has threads of its own; Python 3.12 and later warn of any.
    warnings.filterwarnings("ignore", "This process", DeprecationWarning)
    wx = WxSession("wx0123456789abcdef", "s3cret", base_url=url)
    loop = new_loop(kind)
    loop.run_until_complete(wx.count_materials())
    idle = os.fork()
    if idle == 0:
        sys.exit()
    os.waitpid(idle, 0)
    child = os.fork()
    if child == 0:
        call_in_child(wx, kind)
        sys.exit()
    _, status = os.waitpid(child, 0)
    loop.run_until_complete(asyncio.wait_for(wx.count_materials(), 5))
    status = status or loop.run_until_complete(fork_and_call(wx, kind))
    loop.run_until_complete(asyncio.wait_for(wx.count_materials(), 5))
    loop.run_until_complete(wx.aclose())
    loop.close()
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
