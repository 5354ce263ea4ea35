"""HTTP through aiohttp: the only package of the client that imports it."""

from wxasset.transfer.http.client import ClientSession, Transport
from wxasset.transfer.http.proxies import ENVIRONMENT
from wxasset.transfer.http.reply import Reply
from wxasset.transfer.http.request import Delivery, Request, Timeouts

__all__ = ["ENVIRONMENT", "ClientSession", "Delivery", "Reply", "Request", "Timeouts", "Transport"]
