"""What the tests in a browser share with the program that makes the README's picture: the gallery, and Chromium."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright

__all__ = ["LOADED", "chromium", "gallery"]

_EXAMPLE: Final = Path(__file__).parent.parent.parent / "examples" / "gallery"
_SECONDS: Final = 30
LOADED: Final = """count => {
  const pictures = [...document.querySelectorAll("[data-media-id] a img")];
  const local = pictures.filter(one => !new URL(one.src).pathname.startsWith("/images/"));
  return pictures.length === count && !local.length && pictures.every(one => one.complete && one.naturalWidth > 0);
}"""
"""Tells whether so many pictures are shown, each from the library and really loaded."""


@contextmanager
def gallery(environment: Mapping[str, str]) -> Iterator[str]:
    """Start the example as a user does, on a free port; gives the address that it prints, with its one-time token.

    Raises:
        RuntimeError: It does not start; with what it said.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WXASSET_")}
    process = subprocess.Popen(
        [sys.executable, _EXAMPLE, "--port", str(port)],
        env={**kept, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        entry = _entry(process)
        _wait(process, port)
        yield entry
    finally:
        process.terminate()
        process.communicate()


def _entry(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        found = re.search(r"http://\S+/\?token=\S+", line)
        if found is not None:
            return found[0]
    raise RuntimeError(f"the gallery did not start:\n{said}")


def _wait(process: "subprocess.Popen[str]", port: int) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    process.terminate()
    raise RuntimeError(f"the gallery did not start:\n{process.communicate()[0]}")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the system's Chromium without a window.

    Raises:
        RuntimeError: There is none.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise RuntimeError("Chromium is missing; on Debian: apt-get install chromium fonts-noto-cjk")
    async with async_playwright() as playwright:
        root = hasattr(os, "geteuid") and os.geteuid() == 0  # its sandbox refuses to run for root
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if root else [])
        try:
            yield browser
        finally:
            await browser.close()
