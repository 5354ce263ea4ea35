"""Check once that aiohttp still has the parts used here beyond its documented API."""

import inspect

import aiohttp
from aiohttp import client_proto, connector, http_writer, payload

from wxasset.errors import UsageError

__all__ = ["check_aiohttp", "has_connections"]


def _parts() -> dict[str, bool]:
    """Return the parts by name, and if each is there."""
    write = inspect.signature(http_writer.StreamWriter.write).parameters
    return {
        # Middlewares of a request replace those of its session.
        "ClientSession._middlewares": "_middlewares" in getattr(aiohttp.ClientSession, "ATTRS", ()),
        # The observer learns from it that a request gets its connection.
        "ClientRequest.send": inspect.iscoroutinefunction(getattr(aiohttp.ClientRequest, "send", None)),
        # The size of an upload, without which it would be sent in chunks (WeChat answers 412).
        "Payload._size": "_size" in vars(payload.Payload),
        # The last piece of an upload is written without waiting.
        "StreamWriter.write(drain=)": "drain" in write,
    }


def has_connections() -> bool:
    """Return whether connections of aiohttp can be used without its client layer; else requests pass through it."""
    places = inspect.signature(aiohttp.ClientRequest).parameters
    ways = inspect.signature(connector.BaseConnector.connect).parameters
    options = inspect.signature(client_proto.ResponseHandler.set_response_params).parameters
    return (
        {"method", "url", "headers", "loop", "session"} <= places.keys()
        and list(ways) == ["self", "req", "traces", "timeout"]
        and {"read_until_eof", "auto_decompress"} <= options.keys()
        and hasattr(client_proto.ResponseHandler, "read")
    )


def check_aiohttp() -> None:
    """Raise `UsageError` if aiohttp has changed in a part that is used here."""
    missing = [name for name, there in _parts().items() if not there]
    if missing:
        raise UsageError(
            f"aiohttp {aiohttp.__version__} has changed ({', '.join(missing)}): this version of wxasset does not work"
            " with it. Install the newest wxasset, or an older aiohttp."
        )
