"""Make the picture of `wxasset web` that the README shows: ``python tests/browser/screenshot.py``."""

import asyncio
import base64
import math
import sys
from pathlib import Path
from typing import Final

from playwright.async_api import FilePayload, Page

from browsing import LOADED, chromium, library_page

_TO: Final = Path(__file__).parent.parent.parent / ".github" / "images" / "web.png"
_MOST_BYTES: Final = 300_000

# Pictures are drawn in the page itself, so that the repository holds none: hills in the light of an hour.
_SCENES: Final = (
    ("雪山.jpg", 212, 222, 8),
    ("Old town.jpg", 28, 18, 9),
    ("晨雾.jpg", 205, 30, 1),
    ("Harbour.jpg", 195, 190, 2),
    ("茶园.jpg", 172, 118, 3),
    ("At dusk.jpg", 16, 340, 4),
    ("新品海报.jpg", 265, 320, 5),
    ("Night train.jpg", 230, 260, 6),
    ("秋色.jpg", 35, 12, 7),
    ("春节活动.jpg", 352, 348, 11),
)
_DRAW: Final = """([sky, ground, seed]) => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 640, height: 480});
  const pen = canvas.getContext("2d");
  let state = seed * 7919;
  const chance = () => (state = (state * 16807) % 2147483647) / 2147483647;
  const air = pen.createLinearGradient(0, 0, 0, 400);
  air.addColorStop(0, `hsl(${sky} 62% 42%)`);
  air.addColorStop(1, `hsl(${sky + 25} 85% 86%)`);
  pen.fillStyle = air;
  pen.fillRect(0, 0, 640, 480);
  const x = 120 + chance() * 400, y = 90 + chance() * 110;
  const light = pen.createRadialGradient(x, y, 20, x, y, 190);
  light.addColorStop(0, "rgb(255 255 245 / 95%)");
  light.addColorStop(0.12, "rgb(255 250 225 / 60%)");
  light.addColorStop(1, "rgb(255 245 215 / 0%)");
  pen.fillStyle = light;
  pen.fillRect(0, 0, 640, 480);
  for (let row = 0; row < 5; row++) {
    const base = 250 + row * 46, steep = 62 - row * 8, turn = chance() * 9;
    pen.fillStyle = `hsl(${ground} ${28 + row * 7}% ${64 - row * 11}%)`;
    pen.beginPath();
    pen.moveTo(0, 480);
    for (let at = 0; at <= 640; at += 4) {
      const wave = (wide, share) => share * Math.sin(at / wide + turn / share);
      pen.lineTo(at, base - (wave(70 + row * 22, 1) + wave(23, 0.45) + wave(7, 0.12)) * steep * 0.6);
    }
    pen.lineTo(640, 480);
    pen.fill();
  }
  return canvas.toDataURL("image/jpeg", 0.9).split(",")[1];
}"""


async def _picture(page: Page, name: str, *scene: int) -> FilePayload:
    drawn = await page.evaluate(_DRAW, list(scene))
    return {"name": name, "mimeType": "image/jpeg", "buffer": base64.b64decode(drawn)}


async def _shoot(url: str) -> int:
    async with chromium() as browser:
        page = await browser.new_page(locale="en-GB", viewport={"width": 1120, "height": 836})
        await page.goto(url)
        files = [await _picture(page, *scene) for scene in _SCENES]
        await page.locator("#files-image").set_input_files(files[:-1])
        await page.wait_for_function(LOADED, arg=len(_SCENES) - 1)
        # The last one is on its way, over a slow line.
        session = await page.context.new_cdp_session(page)
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
        await session.send("Network.emulateNetworkConditions", slow)
        await page.locator("#files-image").set_input_files(files[-1:])
        await page.wait_for_function("() => document.querySelector('.job progress').value > 20")
        await page.locator("h1").click()  # no outline around what was used last
        _TO.parent.mkdir(exist_ok=True)
        return len(await page.screenshot(path=_TO, animations="disabled"))


def main() -> None:
    """Start the page on a simulator, fill it, and take the picture."""
    with library_page({}, "--simulate") as entry:
        size = asyncio.run(_shoot(entry))
    print(f"{_TO}: {math.ceil(size / 1000)} KB")  # noqa: T201 - a program
    if size > _MOST_BYTES:
        sys.exit(f"it has more than {_MOST_BYTES} bytes")


if __name__ == "__main__":
    main()
