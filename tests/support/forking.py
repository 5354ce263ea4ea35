"""A program of its own that forks between the calls of one session.

Argument: the API's address; a second one runs uvloop. The parent makes a call, forks, waits for the child's call, and
makes another call on its first connection; a second child makes no call. Children exit in the usual way, so that their
destructors run.
"""

import asyncio
import os
import sys
import warnings

from wxasset import WxSession


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    """Return a new event loop, of uvloop if asked for."""
    if kind == "asyncio":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 - an extra

    return uvloop.new_event_loop()


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
        other = new_loop(kind)
        other.run_until_complete(wx.count_materials())
        other.run_until_complete(wx.aclose())
        other.close()
        sys.exit()
    _, status = os.waitpid(child, 0)
    loop.run_until_complete(asyncio.wait_for(wx.count_materials(), 5))
    loop.run_until_complete(wx.aclose())
    loop.close()
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
