"""Name lookups of the running loop, answered by the test: uvloop does not ask Python's socket module."""

import asyncio
import socket
from typing import Any

import pytest

__all__ = ["resolve_all_to"]


def resolve_all_to(monkeypatch: pytest.MonkeyPatch, address: str) -> list[str]:
    """Resolve all names to one address in the running loop; return the list of the names that are asked for."""
    asked: list[str] = []
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    async def lookup(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        there = (address, port) if family == socket.AF_INET else (address, port, 0, 0)
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", there)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    return asked
