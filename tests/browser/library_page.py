"""The page of the gallery in a real browser, against the simulator: `nox -s browser`."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from playwright.async_api import Browser, Page, expect

from browsing import LOADED, chromium, gallery
from raw_server import RawServer, reply, reset
from wxasset.simulator import Simulator

SHOTS = os.environ.get("WXASSET_SCREENSHOTS")
_PATIENCE = 20_000  # milliseconds; a busy machine takes seconds for what is done at once on an idle one
expect.set_options(timeout=_PATIENCE)
REFUSED = re.compile(
    r"Failed to load resource: (the server responded with a status of (4|5)\d\d|net::ERR_CONNECTION_RESET)"
)


@define
class Watch:
    """What must not happen on a page.

    Attributes:
        url: The gallery's own address.
        errors: What the console and scripts complained of.
        strangers: Requests to anybody else.
        refusals: How many answers of the server were errors, which the console tells too.
    """

    url: str
    errors: list[str] = field(factory=list)
    strangers: list[str] = field(factory=list)
    refusals: int = 0

    def on(self, page: Page) -> None:
        """Watch a page."""
        page.on("console", lambda told: self._console(told.type, told.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str) -> None:
        if REFUSED.match(text):
            self.refusals += 1
        elif kind in ("error", "warning"):
            self.errors.append(text)

    def _request(self, url: str) -> None:
        if not url.startswith((self.url + "/", f"blob:{self.url}/")):
            self.strangers.append(url)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, once for all tests."""
    async with chromium() as one:
        yield one


@pytest.fixture
def sim(wx_simulator: Simulator) -> Simulator:
    """A simulator in a thread of its own, on which the gallery works."""
    return wx_simulator


@pytest.fixture
def entry(sim: Simulator) -> Iterator[str]:
    """The gallery, started as a user starts it: the address that it prints."""
    account = {"WXASSET_APPID": sim.appid, "WXASSET_SECRET": sim.secret, "WXASSET_BASE_URL": sim.url}
    with gallery(account) as address:
        yield address


@pytest.fixture
def url(entry: str) -> str:
    """The address of the gallery without the token."""
    return entry.partition("/?")[0]


@pytest.fixture
async def page(
    browser: Browser, entry: str, url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Page]:
    """The page in English, opened and watched; a screenshot of how the test left it is kept."""
    watch = Watch(url)
    context = await browser.new_context(locale="en-GB", viewport={"width": 1120, "height": 800})
    one = await context.new_page()
    one.set_default_timeout(_PATIENCE)
    watch.on(one)
    await one.goto(entry)
    await expect(one).to_have_url(url + "/")  # the token does not stay in the address
    await expect(one.locator("#account")).to_be_visible()
    yield one
    directory = Path(SHOTS) if SHOTS else tmp_path
    await one.screenshot(path=directory / f"{request.node.name}.png")
    await context.close()
    assert watch.errors == []
    assert watch.strangers == []
    marker = request.node.get_closest_marker("refusals")
    assert watch.refusals == (marker.args[0] if marker else 0)


async def shown(page: Page, count: int) -> None:
    """Wait until so many pictures are really loaded from the library."""
    await page.wait_for_function(LOADED, arg=count)


async def drop(page: Page, *files: Path) -> None:
    """Drag files from outside over the page and let them fall, as the browser itself does it."""
    session = await page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(one) for one in files], "dragOperationsMask": 1}
    for step in ("dragEnter", "dragOver", "drop"):
        await session.send("Input.dispatchDragEvent", {"type": step, "x": 500, "y": 200, "data": data})
        if step == "dragOver":
            await expect(page.locator("body")).to_have_class("over")
    await expect(page.locator("body")).not_to_have_class("over")


async def test_a_picture_is_dropped_shown_and_deleted(page: Page, sim: Simulator, samples: Path) -> None:
    """What is dropped gets into the library byte for byte, is shown from there, and is gone after its delete."""
    await expect(page.locator("#empty")).to_be_visible()
    await drop(page, samples / "photo.jpg")
    await shown(page, 1)
    (material,) = sim.materials.values()
    assert (material.filename, material.content) == ("photo.jpg", (samples / "photo.jpg").read_bytes())
    assert [entry.sent for entry in sim.journal if entry.path.endswith("/get_material")] == [len(material.content)]
    await expect(page.locator("#total")).to_have_text("1 picture")
    await page.reload()
    await shown(page, 1)

    await page.get_by_role("button", name="Delete photo.jpg").click()
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.locator(".picture")).to_have_count(1)
    assert len(sim.materials) == 1
    await page.get_by_role("button", name="Delete photo.jpg").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.locator(".picture")).to_have_count(0)
    assert sim.materials == {}
    await page.reload()
    await expect(page.locator("#empty")).to_be_visible()


async def test_pictures_are_chosen(page: Page, sim: Simulator, samples: Path) -> None:
    """Several files can be chosen at once; the newest comes first, now and after the page was loaded again."""
    names = ["photo.jpg", "drawing.png", "thumb.jpg"]
    await page.locator("#files").set_input_files([samples / name for name in names])
    await shown(page, 3)
    assert [one.filename for one in sim.materials.values()] == names
    for _ in range(2):
        await expect(page.locator(".picture .name")).to_have_text(names[::-1])
        await page.reload()
        await shown(page, 3)


async def test_progress_is_shown_on_both_ways(page: Page, sim: Simulator, tmp_path: Path, photo: bytes) -> None:
    """The bar moves while the server gets the picture, and goes on while WeChat does."""
    large = tmp_path / "large.jpg"
    large.write_bytes(photo + bytes(600_000))
    sim.fail("add_material", "delay-1s")
    session = await page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
    await session.send("Network.emulateNetworkConditions", slow)
    await page.locator("#files").set_input_files(large)
    bar = "stage => { const one = document.querySelector('.passage'); return one?.dataset.stage === stage && "
    await page.wait_for_function(bar + "one.querySelector('progress').value > 0 }", arg="toServer")
    await expect(page.locator(".passage")).to_contain_text("Sending to the server")
    await page.wait_for_function(bar + "one.querySelector('progress').value === 100 }", arg="toWeChat")
    await expect(page.locator(".passage")).to_contain_text("Sending to WeChat")
    await shown(page, 1)
    await expect(page.locator(".passage")).to_be_hidden()


async def test_more_pages_of_the_library(page: Page, sim: Simulator, url: str, samples: Path) -> None:
    """The library is shown in pages of 20, each picture once."""
    await page.locator("#files").set_input_files(samples / "thumb.jpg")
    await shown(page, 1)
    (first,) = sim.materials
    template = sim.materials.pop(first)
    for number in range(25):
        media_id = f"{number:02}{first[2:]}"
        sim.materials[media_id] = type(template)(
            media_id=media_id,
            type="image",
            filename=f"{number}.jpg",
            content=template.content,
            content_type="image/jpeg",
            update_time=template.update_time + number,
        )
    await page.goto(url)
    await expect(page.locator(".picture")).to_have_count(20)
    await page.get_by_role("button", name="Show more").click()
    await expect(page.locator(".picture .name")).to_have_text([f"{24 - number}.jpg" for number in range(25)])
    await expect(page.get_by_role("button", name="Show more")).to_be_hidden()


@pytest.mark.refusals(3)
async def test_problems_are_told_in_plain_words(page: Page, sim: Simulator, samples: Path, tmp_path: Path) -> None:
    """Whatever goes wrong is said in the language of the reader, with the file that it is about."""
    problems = page.locator("#problems li > p")
    fake = tmp_path / "fake.png"
    fake.write_bytes(b"no picture")
    sim.fail("add_material", "errcode:45009")
    sim.fail("add_material", "errcode:48001")
    for number, name in enumerate(("voice.mp3", "photo.jpg", "photo.jpg")):
        await page.locator("#files").set_input_files(samples / name)
        await expect(problems).to_have_count(number + 1)
    await page.locator("#files").set_input_files(fake)
    await expect(problems).to_have_count(4)
    english = ["voice.mp3: WeChat does not take this file", "photo.jpg: WeChat accepts no more requests"]
    english += ["photo.jpg: WeChat could not be reached, or refused", "fake.png: WeChat does not take this file"]
    assert [
        text[: len(start)] for text, start in zip(await problems.all_inner_texts(), english, strict=True)
    ] == english
    await page.get_by_role("button", name="中文").click()
    await expect(problems).to_contain_text(
        ["微信不接受此文件", "微信暂时不再接受请求", "无法连接微信", "微信不接受此文件"]
    )
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(page.locator("h1")).to_have_text("图片素材库")
    await page.locator("#problems summary").nth(1).click()
    assert re.search("[一-鿿]", await page.locator("#problems details p").nth(1).inner_text())
    for _ in range(4):
        await page.get_by_role("button", name="知道了").first.click()
    await expect(problems).to_have_count(0)
    assert sim.materials == {}
    await page.reload()
    await expect(page.locator("h1")).to_have_text("图片素材库")


@pytest.mark.refusals(1)
async def test_a_lost_answer_is_no_failure(page: Page, samples: Path) -> None:
    """Where all of a file was sent and no answer came, the library is to be looked at before it is sent again."""
    async with RawServer(script=[reset]) as server:
        await page.route("**/api/images?upload=*", lambda route: route.continue_(url=f"{server.url}/api/images"))
        await page.locator("#files").set_input_files(samples / "photo.jpg")
        await expect(page.locator("#problems li > p")).to_contain_text(["Check whether the picture is in the library"])
        assert [request.line for request in server.requests] == ["POST /api/images HTTP/1.1"]


async def test_it_begins_in_the_language_of_the_browser(page: Page, browser: Browser, url: str) -> None:
    """Who has a Chinese browser need not switch, and the other way round the choice is kept."""
    state = await page.context.storage_state()
    context = await browser.new_context(locale="zh-CN", storage_state={"cookies": state.get("cookies", [])})
    chinese = await context.new_page()
    await chinese.goto(url)
    await expect(chinese.locator("#empty")).to_have_text("这里还没有图片。")
    await chinese.get_by_role("button", name="EN").click()
    await chinese.reload()
    await expect(chinese.locator("#empty")).to_have_text(await page.locator("#empty").inner_text())
    await context.close()


@pytest.mark.refusals(1)
async def test_what_is_gone_already_leaves_the_page(page: Page, sim: Simulator, samples: Path) -> None:
    """A picture that somebody else deleted is told as gone, and is not shown any longer."""
    await page.locator("#files").set_input_files(samples / "photo.jpg")
    await shown(page, 1)
    sim.materials.clear()
    await page.get_by_role("button", name="Delete photo.jpg").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.locator("#problems")).to_contain_text("no longer in the library")
    await expect(page.locator(".picture")).to_have_count(0)


async def test_a_browser_without_the_token_is_asked_for_it(browser: Browser, page: Page, url: str) -> None:
    """Another browser is asked for a token; a wrong one does not open the gallery."""
    await page.goto(url)
    context = await browser.new_context()
    other = await context.new_page()
    for _ in range(2):
        answer = await other.goto(url)
        assert answer is not None
        assert answer.status == 401
        await other.locator("#token").fill("guessed")
        await other.keyboard.press("Enter")
        await expect(other).to_have_url(url + "/?token=guessed")
        await expect(other.locator("#token")).to_be_visible()
    await context.close()


async def test_a_page_of_another_server_gets_no_picture(page: Page, sim: Simulator, url: str, samples: Path) -> None:
    """A picture that a page of another port embeds is refused before WeChat is asked, although the cookie comes."""
    await page.locator("#files").set_input_files(samples / "photo.jpg")
    await shown(page, 1)
    (media_id,) = sim.materials
    before = len(sim.journal)
    embedding = f"<img src='{url}/images/{media_id}?uncached'>".encode()
    other = await page.context.new_page()
    async with (
        RawServer(script=[reply(embedding, "text/html")]) as server,
        other.expect_event("requestfailed", lambda one: "/images/" in one.url),
    ):
        await other.goto(server.url)
    assert len(sim.journal) == before


async def test_names_are_text(page: Page, sim: Simulator, tmp_path: Path, photo: bytes) -> None:
    """Markup in a name is shown as it is, wherever a name stands."""
    name = "<img src=x onerror=document.title='gone'>.jpg"
    evil = tmp_path / name
    evil.write_bytes(photo)
    await page.locator("#files").set_input_files(evil)
    await shown(page, 1)
    await page.reload()
    await shown(page, 1)
    listed = next(iter(sim.materials.values())).filename
    await expect(page.locator(".name")).to_have_text(listed)
    assert "<img" in listed
    await page.locator(".delete").click()
    await expect(page.locator("#name")).to_have_text(listed)
    assert await page.title() == "Picture library"


async def test_it_works_by_keyboard(page: Page, sim: Simulator, samples: Path) -> None:
    """Everything is reached with the tabulator in the order of the page, and the focus is never lost."""
    await page.locator("#files").set_input_files([samples / "photo.jpg", samples / "drawing.png"])
    await shown(page, 2)
    focused = "document.activeElement"
    await page.locator("[data-language=en]").focus()
    stops = []
    for _ in range(6):
        await page.keyboard.press("Tab")
        stops.append(
            await page.evaluate(
                f"{focused}.id || {focused}.className || {focused}.textContent.trim() || {focused}.tagName"
            )
        )
    assert stops == ["中文", "files", "A", "delete", "A", "delete"]
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Delete photo.jpg")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Delete", exact=True)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".picture")).to_have_count(1)
    await expect(page.get_by_role("button", name="Delete drawing.png")).to_be_focused()
    assert [one.filename for one in sim.materials.values()] == ["drawing.png"]


async def test_somebody_quick_is_understood(page: Page, sim: Simulator, samples: Path) -> None:
    """A question that is left and asked again before the browser has told of the first is answered all the same."""
    await page.locator("#files").set_input_files(samples / "photo.jpg")
    await shown(page, 1)
    await page.evaluate(
        """() => {
          const [button, dialog] = [document.querySelector(".delete"), document.querySelector("dialog")];
          button.click();
          dialog.close("cancel");
          button.click();
        }"""
    )
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.locator(".picture")).to_have_count(0)
    assert sim.materials == {}


async def test_it_fits_a_phone(page: Page, samples: Path) -> None:
    """On 320 pixels nothing is cut off or runs out to the side, in either language, and targets can be touched."""
    await page.locator("#files").set_input_files(
        [samples / "photo.jpg", samples / "drawing.png", samples / "voice.mp3"]
    )
    await shown(page, 2)
    await page.set_viewport_size({"width": 320, "height": 640})
    for language in ("EN", "中文"):
        await page.get_by_role("button", name=language, exact=True).click()
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
        boxes = "all => all.map(one => one.getBoundingClientRect()).map(b => [b.left, b.right, b.width, b.height])"
        sizes: list[Any] = await page.locator("button:visible, label").evaluate_all(boxes)
        for left, right, width, height in sizes:
            assert left >= 0
            assert right <= 320
            assert min(width, height) >= 36
    await page.locator(".delete").first.click()
    box = await page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert (box["x"] >= 0, box["x"] + box["width"] <= 320) == (True, True)
