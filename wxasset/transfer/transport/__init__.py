"""The network, through aiohttp: the only client package that names it."""

from wxasset.transfer.transport.client import ClientSession, Transport
from wxasset.transfer.transport.reply import Reply
from wxasset.transfer.transport.request import Request, Timeouts

__all__ = ["ClientSession", "Reply", "Request", "Timeouts", "Transport"]
