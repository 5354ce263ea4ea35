"""A secret and a token that must be seen nowhere, peers that repeat them, and all that an error shows."""

import pickle
import traceback
from collections.abc import Iterator

from raw_server import Connection, Handler, RawRequest, forever, reply, reset
from wxasset.errors import WxAssetError

SECRET = "CANARYSECRET0123456789abcdefghij"
TOKEN = "CANARYTOKEN" + "x" * 100


async def echo_html(request: RawRequest, connection: Connection) -> None:
    """Answer as a proxy does that shows the whole request."""
    await connection.send(reply(b"<html>" + request.head + request.body[:500], status="502 Bad Gateway"))


async def echo_error(request: RawRequest, connection: Connection) -> None:
    """Answer with an error that repeats the request."""
    await connection.send(reply({"errcode": 40013, "errmsg": f"invalid: {request.line} {request.body[:500]!r}"}))


async def echo_garbage(request: RawRequest, connection: Connection) -> None:
    """Answer with JSON that is none of ours and repeats the request."""
    await connection.send(reply(b'{"x": "' + request.head + request.body[:500] + b'"}'))


async def cut_token(_: RawRequest, connection: Connection) -> None:
    """Break off in the middle of a token."""
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + token_reply()[-60:])
    connection.reset()


def token_reply() -> bytes:
    """A token, as issued."""
    return reply({"access_token": TOKEN, "expires_in": 7200})


FAULTS: list[bytes | Handler] = [reset, forever, echo_html, echo_error, echo_garbage, cut_token]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and everything that hangs on it."""
    if error is not None:
        yield error
        yield from chain(error.__cause__)
        yield from chain(error.__context__)


def everything_shown(error: BaseException) -> str:
    """All that a log, a crash reporter or a debugger's traceback would show of an error."""
    shown = []
    for one in chain(error):
        shown += [str(one), repr(one), repr(one.args), repr(vars(one))]
        frames = traceback.StackSummary.extract(traceback.walk_tb(one.__traceback__), capture_locals=True)
        # The test's own frames hold the canary on purpose.
        shown += [f"{frame} {frame.locals}" for frame in frames if "/tests/" not in frame.filename]
        if isinstance(one, WxAssetError):
            shown.append(repr(pickle.dumps(one)))
    return "\n".join(shown)
