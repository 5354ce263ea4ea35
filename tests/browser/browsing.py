"""What the tests in a browser share with the program that makes the README's picture: the page, and Chromium."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from playwright.async_api import Browser, async_playwright

__all__ = ["LOADED", "chromium", "library_page"]

LOADED: Final = """count => {
  const pictures = [...document.querySelectorAll("#panel-image .card img")];
  return pictures.length === count && pictures.every(one => one.complete && one.naturalWidth > 0);
}"""
"""Tells whether so many pictures are shown, each from the library and really loaded."""


@contextmanager
def library_page(environment: Mapping[str, str], *options: str) -> Iterator[str]:
    """Start `wxasset web` as a user does, on a free port; gives the address that it prints, with its one-time token.

    Raises:
        RuntimeError: It does not start; with its output.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WXASSET_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "wxasset", "web", "--port", "0", *options],
        env={**kept, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield _entry(process)
    finally:
        process.terminate()
        process.communicate()


def _entry(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        found = re.search(r"http://\S+/\?token=\S+", line)
        if found is not None:
            return found[0]
    raise RuntimeError(f"wxasset web did not start:\n{said}")


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
