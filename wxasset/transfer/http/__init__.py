"""HTTP through aiohttp: the only package of the client that imports it."""

from wxasset.transfer.http.client import ClientSession, Transport
from wxasset.transfer.http.reply import Reply
from wxasset.transfer.http.request import Request, Timeouts

__all__ = ["ClientSession", "Reply", "Request", "Timeouts", "Transport"]
