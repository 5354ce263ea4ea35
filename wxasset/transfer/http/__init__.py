"""The network, through aiohttp: the only client package that names it."""

from wxasset.transfer.http.client import ClientSession, Transport
from wxasset.transfer.http.reply import Reply
from wxasset.transfer.http.request import Request, Timeouts

__all__ = ["ClientSession", "Reply", "Request", "Timeouts", "Transport"]
