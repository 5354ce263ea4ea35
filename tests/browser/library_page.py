"""The page of `wxasset web` in a real browser, against the simulator: `nox -s browser`."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from playwright.async_api import Browser, Page, expect

from browsing import LOADED, chromium, library_page
from raw_server import RawServer, reply, reset
from wxasset import WxSession
from wxasset.simulator import Simulator

SHOTS = os.environ.get("WXASSET_SCREENSHOTS")
AXE = os.environ.get("WXASSET_AXE")
WIDTHS = (1280, 375, 320)
TABS = ("image", "voice", "video", "news", "cloud", "account")
_PATIENCE = 20_000  # milliseconds; a busy machine takes seconds for what is done at once on an idle one
expect.set_options(timeout=_PATIENCE)
REFUSED = re.compile(
    r"Failed to load resource: (the server responded with a status of (4|5)\d\d|net::ERR_CONNECTION_RESET)"
)


@define
class Watch:
    """What must not happen on a page.

    Attributes:
        url: The page's own address.
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
    """A simulator in a thread of its own, on which the page works."""
    return wx_simulator


def account(sim: Simulator) -> dict[str, str]:
    """The environment variables that lead to a simulator."""
    return {"WXASSET_APPID": sim.appid, "WXASSET_SECRET": sim.secret, "WXASSET_BASE_URL": sim.url}


@pytest.fixture
def entry(sim: Simulator) -> Iterator[str]:
    """The page, started as a user starts it: the address that it prints."""
    with library_page(account(sim)) as address:
        yield address


@pytest.fixture
def url(entry: str) -> str:
    """The address of the page without the token."""
    return entry.partition("/?")[0]


@pytest.fixture
async def page(
    browser: Browser, entry: str, url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Page]:
    """The page in English, opened and watched; a screenshot of how the test left it is kept."""
    watch = Watch(url)
    context = await browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    one = await context.new_page()
    one.set_default_timeout(_PATIENCE)
    watch.on(one)
    await one.goto(entry)
    await expect(one).to_have_url(url + "/#image")  # the token does not stay in the address
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


async def choose(page: Page, *files: Path, kind: str = "image") -> None:
    """Choose files for a tab."""
    await page.locator(f"#files-{kind}").set_input_files(files)


async def confirm(page: Page) -> None:
    """Answer the question before a deletion with yes."""
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()


def copies(samples: Path, tmp_path: Path, count: int) -> list[Path]:
    """Pictures with names of their own."""
    content = (samples / "thumb.jpg").read_bytes()
    paths = [tmp_path / f"poster-{number:02}.jpg" for number in range(count)]
    for path in paths:
        path.write_bytes(content)
    return paths


CARDS = "#panel-image .card"
NAMES = "#panel-image .card .name"
TOTAL = "#panel-image .total"


async def test_a_picture_is_dropped_shown_and_deleted(page: Page, sim: Simulator, samples: Path) -> None:
    """What is dropped gets into the library byte for byte, is shown from there, and is gone after its delete."""
    await expect(page.locator("#panel-image .empty")).to_be_visible()
    await drop(page, samples / "photo.jpg")
    await shown(page, 1)
    (material,) = sim.materials.values()
    assert (material.filename, material.content) == ("photo.jpg", (samples / "photo.jpg").read_bytes())
    await expect(page.locator(TOTAL)).to_have_text("1 in all")
    await expect(page.locator("#panel-image .facts")).to_have_text("12 KB")
    await page.reload()
    await shown(page, 1)
    await expect(page.locator("#panel-image .facts")).to_have_text("12 KB")
    assert [entry.sent for entry in sim.journal if entry.path.endswith("/get_material")] == [len(material.content)]

    await page.get_by_role("button", name="Delete photo.jpg").click()
    await page.get_by_role("button", name="Keep").click()
    await expect(page.locator(CARDS)).to_have_count(1)
    assert len(sim.materials) == 1
    await page.get_by_role("button", name="Delete photo.jpg").click()
    await confirm(page)
    await expect(page.locator(CARDS)).to_have_count(0)
    assert sim.materials == {}
    await page.reload()
    await expect(page.locator("#panel-image .empty")).to_be_visible()


@pytest.mark.refusals(1)
async def test_thirty_uploads_one_of_which_fails(page: Page, sim: Simulator, samples: Path, tmp_path: Path) -> None:
    """The failed one stays and is tried again; then search, select ten, copy their ids and delete them."""
    files = copies(samples, tmp_path, 30)
    sim.fail("add_material", "errcode:45009", after=7)
    await choose(page, *files)
    await expect(page.locator(".job[data-state=failed] .name")).to_have_text("poster-07.jpg")
    await expect(page.locator(".tally").first).to_have_text("29 of 30 uploaded, 1 failed")
    await expect(page.locator(".job .state")).to_have_text(
        "WeChat accepts no more requests at the moment. Try again later."
    )
    await expect(page.locator(CARDS)).to_have_count(29)
    await picture(page, "failed")
    await page.get_by_role("button", name="Retry poster-07.jpg").click()
    await expect(page.locator(".queue").first).to_be_hidden()
    await expect(page.locator(NAMES).first).to_have_text("poster-07.jpg")
    assert len(sim.materials) == 30

    await page.reload()
    await expect(page.locator(CARDS)).to_have_count(20)
    await page.get_by_role("searchbox", name="Search by name").fill("POSTER-0")
    await expect(page.locator(TOTAL)).to_have_text("10 found; 30 of 30 searched")
    await page.get_by_role("button", name="Select all shown").click()
    await expect(page.locator("#panel-image .chosen")).to_have_text("10 selected")
    await picture(page, "selected")
    await page.get_by_role("button", name="Copy IDs").click()
    await expect(page.locator("#toast")).to_have_text("Copied")
    copied = (await page.evaluate("navigator.clipboard.readText()")).split()
    assert sorted(copied) == sorted(one.media_id for one in sim.materials.values() if "poster-0" in one.filename)
    await page.locator(".delete-all").first.click()
    await expect(page.locator("#question")).to_have_text("Delete these 10 items?")
    await expect(page.locator("#rest")).to_have_text("and 5 more")
    await picture(page, "question")
    await confirm(page)
    await expect(page.locator(TOTAL)).to_have_text("0 found; 20 of 20 searched")
    await expect(page.get_by_role("searchbox", name="Search by name")).to_be_focused()
    assert len(sim.materials) == 20
    await page.get_by_role("searchbox").fill("")
    await expect(page.locator(TOTAL)).to_have_text("20 in all")


async def picture(page: Page, name: str) -> None:
    """Keep a screenshot, if they are kept."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


async def test_ids_and_addresses_are_copied(page: Page, sim: Simulator, samples: Path) -> None:
    """The buttons of a card copy its media_id and its URL."""
    await choose(page, samples / "photo.jpg")
    await shown(page, 1)
    (material,) = sim.materials.values()
    await page.get_by_role("button", name="Copy the media_id of photo.jpg").click()
    await expect(page.locator("#toast")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == material.media_id
    await page.get_by_role("button", name="Copy the URL of photo.jpg").click()
    await page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('http')")


@pytest.mark.parametrize(("kind", "tag", "name"), [("voice", "audio", "voice.mp3"), ("video", "video", "clip.mp4")])
async def test_it_plays_and_seeks(page: Page, sim: Simulator, samples: Path, kind: str, tag: str, name: str) -> None:
    """A voice and a video play, jump to a place, and are fetched from WeChat once; length and size are shown."""
    await page.locator(f"#tab-{kind}").click()
    await choose(page, samples / name, kind=kind)
    media = page.locator(f"#panel-{kind} {tag}")
    await media.evaluate("one => (one.muted = true, one.play())")
    await page.wait_for_function("tag => document.querySelector(tag).currentTime > 0.2", arg=tag)
    await media.evaluate(
        "one => (one.pause(), new Promise(done => (one.onseeked = done, one.currentTime = one.duration / 2)))"
    )
    times = await media.evaluate("one => [one.currentTime, one.duration / 2, one.seekable.end(0), one.duration]")
    assert times[0] == pytest.approx(times[1], abs=0.1)
    assert times[2] == pytest.approx(times[3])
    await expect(page.locator(f"#panel-{kind} .facts")).to_have_text(re.compile(r"\d+ KB · 0:0\d"))
    assert sum(one.path.endswith("/get_material") for one in sim.journal) == 1


async def test_a_format_that_no_browser_plays_is_downloaded(page: Page, samples: Path) -> None:
    """An AMR voice has a link in the place of the player."""
    await page.locator("#tab-voice").click()
    await choose(page, samples / "voice.amr", kind="voice")
    await expect(page.locator("#panel-voice .instead")).to_contain_text("This browser cannot play this format.")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Download: voice.amr").click()
    download = await started.value
    assert Path(await download.path()).read_bytes() == (samples / "voice.amr").read_bytes()


async def test_a_video_gets_the_title_of_the_page(page: Page, sim: Simulator, samples: Path) -> None:
    """Title and introduction are those of the fields; without them the title is the name of the file."""
    await page.locator("#tab-video").click()
    await choose(page, samples / "clip.mp4", kind="video")
    await expect(page.locator("#panel-video .card")).to_have_count(1)
    await page.get_by_label("Title of the next videos").fill("春节")
    await page.get_by_label("Introduction").fill("烟花")
    await choose(page, samples / "clip.mp4", kind="video")
    await expect(page.locator("#panel-video .card")).to_have_count(2)
    told = [(one.title, one.introduction) for one in sim.materials.values()]
    assert told == [("clip", ""), ("春节", "烟花")]


async def test_progress_is_shown_on_both_ways(page: Page, sim: Simulator, tmp_path: Path, photo: bytes) -> None:
    """The bar moves while the server gets the picture, and goes on while WeChat does."""
    large = tmp_path / "large.jpg"
    large.write_bytes(photo + bytes(600_000))
    sim.fail("add_material", "delay-1s")
    session = await page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
    await session.send("Network.emulateNetworkConditions", slow)
    await choose(page, large)
    bar = "stage => { const one = document.querySelector('.job'); return one?.dataset.stage === stage && "
    await page.wait_for_function(bar + "one.querySelector('progress').value > 0 }", arg="toServer")
    await expect(page.locator(".job .state")).to_have_text("Sending to the server")
    await page.wait_for_function(bar + "one.querySelector('progress').value === 100 }", arg="toWeChat")
    await expect(page.locator(".job .state")).to_have_text("Sending to WeChat")
    await shown(page, 1)
    await expect(page.locator(".queue").first).to_be_hidden()


async def test_uploads_are_cancelled(page: Page, sim: Simulator, samples: Path, tmp_path: Path) -> None:
    """Waiting ones are not sent; the one that WeChat is receiving ends there, and is told as uncertain."""
    sim.fail("add_material", "delay-30s")
    await choose(page, *copies(samples, tmp_path, 5))
    await expect(page.locator(".job .state").first).to_have_text("Sending to WeChat")
    await page.get_by_role("button", name="Cancel poster-02.jpg").click()
    await expect(page.locator(".job")).to_have_count(4)
    await page.get_by_role("button", name="Cancel all").click()
    await expect(page.locator(".job")).to_have_count(1)
    await expect(page.locator(".job .state")).to_contain_text("Check whether it is in the library")
    await page.get_by_role("button", name="Dismiss poster-00.jpg").click()
    await expect(page.locator(".queue").first).to_be_hidden()
    assert sum(one.path.endswith("/add_material") for one in sim.journal) <= 1


async def test_more_pages_of_the_library(page: Page, sim: Simulator, url: str, samples: Path) -> None:
    """The library is shown in pages of 20, each picture once."""
    await choose(page, samples / "thumb.jpg")
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
    await expect(page.locator(CARDS)).to_have_count(20)
    await expect(page.locator(TOTAL)).to_have_text("20 of 25 shown")
    await page.get_by_role("button", name="Show more").click()
    await expect(page.locator(NAMES)).to_have_text([f"{24 - number}.jpg" for number in range(25)])
    await expect(page.get_by_role("button", name="Show more")).to_be_hidden()


@pytest.mark.refusals(3)
async def test_problems_are_told_in_plain_words(page: Page, sim: Simulator, samples: Path, tmp_path: Path) -> None:
    """Whatever goes wrong is said in the language of the reader, on the card of the file that it is about."""
    fake = tmp_path / "fake.png"
    fake.write_bytes(b"no picture")
    large = tmp_path / "large.png"
    large.write_bytes(bytes(10 * 1024 * 1024 + 1))
    sim.fail("add_material", "errcode:45009")
    sim.fail("add_material", "errcode:48001")
    states = page.locator(".job[data-state=failed] .state")
    for number, path in enumerate((fake, large, samples / "photo.jpg", samples / "photo.jpg")):
        await choose(page, path)
        await expect(states).to_have_count(number + 1)
    english = ["WeChat does not take this file", "This file is too large", "WeChat accepts no more requests"]
    english.append("WeChat could not be reached, or refused")
    await expect(states).to_contain_text(english)
    await page.get_by_role("button", name="中文").click()
    await expect(states).to_contain_text(["微信不接受此文件", "文件太大", "微信暂时不再接受请求", "无法连接微信"])
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(page.locator("h1")).to_have_text("素材库")
    await page.locator(".job summary").nth(3).click()
    await expect(page.locator(".job details p").nth(3)).to_contain_text("errcode 48001")
    assert re.search("[一-鿿]", await page.locator(".job details p").nth(3).inner_text())
    for _ in range(4):
        await page.locator(".dismiss").first.click()
    await expect(states).to_have_count(0)
    assert sim.materials == {}
    await page.reload()
    await expect(page.locator("h1")).to_have_text("素材库")


@pytest.mark.refusals(1)
async def test_a_lost_answer_is_no_failure(page: Page, samples: Path) -> None:
    """Where all of a file was sent and no answer came, the library is to be looked at before it is sent again."""
    async with RawServer(script=[reset]) as server:
        target = f"{server.url}/api/materials"
        await page.route("**/api/materials?type=image", lambda route: route.continue_(url=target))
        await choose(page, samples / "photo.jpg")
        await expect(page.locator(".job .state")).to_contain_text("Check whether it is in the library")
        assert [request.line for request in server.requests] == ["POST /api/materials HTTP/1.1"]


async def test_it_begins_in_the_language_of_the_browser(page: Page, browser: Browser, url: str) -> None:
    """Who has a Chinese browser need not switch, and the other way round the choice is kept."""
    state = await page.context.storage_state()
    context = await browser.new_context(locale="zh-CN", storage_state={"cookies": state.get("cookies", [])})
    chinese = await context.new_page()
    await chinese.goto(url)
    await expect(chinese.locator("#panel-image .empty")).to_have_text("这里还没有内容。")
    await chinese.get_by_role("button", name="EN").click()
    await chinese.reload()
    await expect(chinese.locator("#panel-image .empty")).to_have_text("Nothing is here yet.")
    await context.close()


@pytest.mark.refusals(1)
async def test_what_is_gone_already_leaves_the_page(page: Page, sim: Simulator, samples: Path) -> None:
    """A picture that somebody else deleted is told as gone, and is not shown any longer."""
    await choose(page, samples / "photo.jpg")
    await shown(page, 1)
    sim.materials.clear()
    await page.get_by_role("button", name="Delete photo.jpg").click()
    await confirm(page)
    await expect(page.locator("#problems")).to_contain_text("no longer in the library")
    await expect(page.locator(CARDS)).to_have_count(0)


async def test_a_browser_without_the_token_is_asked_for_it(browser: Browser, url: str) -> None:
    """Another browser is asked for a token; a wrong one does not open the page."""
    context = await browser.new_context()
    other = await context.new_page()
    for _ in range(2):
        answer = await other.goto(url)
        assert answer is not None
        assert answer.status == 401
        await other.locator("#token").fill("guessed")
        await other.keyboard.press("Enter")
        await expect(other.get_by_role("alert")).to_contain_text("wrong")
        await expect(other.locator("#token")).to_be_visible()
    await picture(other, "enter")
    await context.close()


async def test_a_page_of_another_server_gets_no_picture(page: Page, sim: Simulator, url: str, samples: Path) -> None:
    """A picture that a page of another port embeds is refused before WeChat is asked, although the cookie comes."""
    await choose(page, samples / "photo.jpg")
    await shown(page, 1)
    (media_id,) = sim.materials
    before = len(sim.journal)
    embedding = f"<img src='{url}/materials/{media_id}?uncached'>".encode()
    other = await page.context.new_page()
    async with (
        RawServer(script=[reply(embedding, "text/html")]) as server,
        other.expect_event("requestfailed", lambda one: "/materials/" in one.url),
    ):
        await other.goto(server.url)
    assert len(sim.journal) == before


async def test_names_are_text(page: Page, sim: Simulator, tmp_path: Path, photo: bytes) -> None:
    """Markup in a name is shown as it is, wherever a name stands."""
    name = "<img src=x onerror=document.title='gone'>.jpg"
    evil = tmp_path / name
    evil.write_bytes(photo)
    await choose(page, evil)
    await shown(page, 1)
    await page.reload()
    await shown(page, 1)
    listed = next(iter(sim.materials.values())).filename
    await expect(page.locator(NAMES)).to_have_text(listed)
    assert "<img" in listed
    await page.locator(f"{CARDS} .changes").click()
    await expect(page.locator("#doomed li")).to_have_text(listed)
    assert await page.title() == "Library"


async def test_it_works_by_keyboard(page: Page, sim: Simulator, samples: Path) -> None:
    """Everything is reached with the tabulator in the order of the page, and the focus is never lost."""
    await choose(page, samples / "photo.jpg", samples / "drawing.png")
    await shown(page, 2)
    await page.locator("[data-language=zh]").focus()
    stops = []
    name = "document.activeElement.ariaLabel || document.activeElement.id || document.activeElement.textContent.trim()"
    for _ in range(10):
        await page.keyboard.press("Tab")
        stops.append(await page.evaluate(f"{name} || document.activeElement.tagName"))
    assert stops == [
        *("tab-image", "files-image", "Search by name", "Select all shown", "A", "Select drawing.png"),
        *("Copy the media_id of drawing.png", "Copy the URL of drawing.png", "Delete drawing.png", "A"),
    ]
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Keep")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Delete drawing.png")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("dialog").get_by_role("button", name="Delete")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(CARDS)).to_have_count(1)
    await expect(page.get_by_role("button", name="Delete photo.jpg")).to_be_focused()
    assert [one.filename for one in sim.materials.values()] == ["photo.jpg"]
    for key, kind in (("ArrowRight", "voice"), ("End", "account"), ("ArrowRight", "image"), ("ArrowLeft", "account")):
        await page.locator("[role=tab][aria-selected=true]").focus()
        await page.keyboard.press(key)
        await expect(page.locator(f"#tab-{kind}")).to_be_focused()
        await expect(page.locator(f"#panel-{kind}")).to_be_visible()


async def test_a_tab_is_kept_in_the_address(page: Page, url: str) -> None:
    """A page that is loaded again, or opened from a bookmark, shows the same tab."""
    await page.locator("#tab-voice").click()
    await expect(page).to_have_url(url + "/#voice")
    await page.reload()
    await expect(page.locator("#panel-voice")).to_be_visible()
    await expect(page.locator("#panel-image")).to_be_hidden()


async def test_somebody_quick_is_understood(page: Page, sim: Simulator, samples: Path) -> None:
    """A question that is left and asked again before the browser has told of the first is answered all the same."""
    await choose(page, samples / "photo.jpg")
    await shown(page, 1)
    await page.evaluate(
        """() => {
          const [button, dialog] = [document.querySelector(".card .changes"), document.querySelector("dialog")];
          button.click();
          dialog.close("cancel");
          button.click();
        }"""
    )
    await confirm(page)
    await expect(page.locator(CARDS)).to_have_count(0)
    assert sim.materials == {}


async def test_cloud_files_are_found_and_deleted(page: Page, sim: Simulator, wx_session: WxSession) -> None:
    """Ids that are entered get a link or a reason; a deleted file is gone."""
    fileid = await wx_session.upload_file("env-1", "reports/may.pdf", b"%PDF-1.4")
    await page.locator("#tab-cloud").click()
    await page.get_by_label("Environment ID").fill("env-1")
    await page.get_by_label("File IDs, one a line").fill(f"{fileid}\n{fileid}x")
    await page.get_by_role("button", name="Find the files").click()
    await expect(page.get_by_role("link", name="may.pdf: Link for 2 hours")).to_be_visible()
    await expect(page.locator("#panel-cloud")).to_contain_text("No link: STORAGE_FILE_NONEXIST (-503003)")
    await page.get_by_role("button", name="Delete may.pdf", exact=True).click()
    await confirm(page)
    await expect(page.locator("#panel-cloud .card")).to_have_count(1)
    assert fileid not in sim.cloud_files


async def test_articles_are_read_only(page: Page, sim: Simulator) -> None:
    """Articles have titles, authors and links, and nothing to change; an address that is no web page is no link."""
    sim.add_article(title="春节活动", author="编辑部", digest="三天三夜", url="https://mp.weixin.qq.com/s/x")
    sim.add_article(title="Strange", url="javascript:alert(1)")
    await page.locator("#tab-news").click()
    await expect(page.get_by_role("link", name="春节活动")).to_have_attribute("href", "https://mp.weixin.qq.com/s/x")
    await expect(page.locator("#panel-news")).to_contain_text("编辑部 · 三天三夜")
    await expect(page.locator("#panel-news .card")).to_have_count(2)
    assert await page.locator("#panel-news .card a").count() == 1
    assert await page.locator("#panel-news").locator("input:not([type=search]), .changes:visible").count() == 0
    await page.get_by_role("searchbox", name="Search by name").fill("strange")
    await expect(page.locator("#panel-news .total")).to_have_text("1 found; 2 of 2 searched")
    await page.get_by_role("searchbox").fill("")
    for width in WIDTHS:
        await fits(page, "articles", width)
    await barriers(page)


async def test_the_account_has_gauges_and_findings(page: Page, sim: Simulator) -> None:
    """Usage is shown at once, the doctor is asked on demand, and the simulator is linked."""
    await page.locator("#tab-account").click()
    await expect(page.get_by_role("meter", name="voice: 0 of 1,000")).to_be_visible()
    await expect(page.locator(".gauges.calls")).to_contain_text("/cgi-bin/material/add_material")
    await page.get_by_role("button", name="Run the checks").click()
    await expect(page.locator('.findings li[data-status="ok"]').filter(has_text="permissions")).to_be_visible()
    await page.get_by_role("button", name="中文").click()
    await expect(page.locator(".findings")).to_contain_text("接口权限")
    await expect(page.locator("#controls")).to_have_attribute("href", f"{sim.url}/_sim/")


@pytest.fixture
def live() -> Iterator[Simulator]:
    """A host that does not say that it is a simulator."""
    with Simulator(control=False) as one:
        yield one


async def test_a_live_account_has_another_colour(browser: Browser, live: Simulator) -> None:
    """A host that is not known as a simulator counts as the real service, and looks unlike one."""
    with library_page(account(live)) as entry:
        context = await browser.new_context(locale="en-GB")
        one = await context.new_page()
        await one.goto(entry)
        await expect(one.locator("#account")).to_have_text("Live account")
        await expect(one.locator("header")).to_have_css("border-top-color", "rgb(217, 130, 0)")
        await expect(one.locator("#controls")).to_be_hidden()
        await picture(one, "live")
        await context.close()


async def test_a_read_only_page_offers_no_changes(
    browser: Browser, sim: Simulator, wx_session: WxSession, photo: bytes
) -> None:
    """No upload, no delete; ids can be selected and copied."""
    await wx_session.add_material("image", photo, filename="a.jpg")
    with library_page(account(sim), "--read-only") as entry:
        context = await browser.new_context(locale="en-GB")
        one = await context.new_page()
        await one.goto(entry)
        await expect(one.locator("#read-only")).to_be_visible()
        await expect(one.locator(CARDS)).to_have_count(1)
        await one.get_by_label("Select a.jpg").check()
        await expect(one.get_by_role("button", name="Copy IDs")).to_be_visible()
        assert await one.locator("input[type=file], .delete-all, .card .changes").count() == 0
        await picture(one, "read-only")
        await context.close()


@pytest.fixture
async def wx_session(sim: Simulator) -> AsyncIterator[WxSession]:
    """A session on the simulator of the page."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url) as one:
        yield one


@pytest.mark.refusals(1)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_and_has_no_barriers(page: Page, wx_session: WxSession, samples: Path, scheme: Any) -> None:
    """Each tab fits each width in each language, targets can be touched, and axe-core finds no serious issue."""
    await wx_session.add_material("voice", samples / "voice.mp3")
    await wx_session.add_material("voice", samples / "voice.amr")
    await wx_session.add_material("video", samples / "clip.mp4", title="t")
    fileid = await wx_session.upload_file("env-1", "reports/may.pdf", b"%PDF-1.4")
    await page.emulate_media(color_scheme=scheme)
    await choose(page, samples / "photo.jpg", samples / "drawing.png", samples / "voice.mp3")
    await expect(page.locator(".job[data-state=failed]")).to_have_count(1)
    await shown(page, 2)
    await page.get_by_label("Select photo.jpg").check()
    for kind in TABS:
        await page.locator(f"#tab-{kind}").click()
        if kind == "cloud":
            await page.get_by_label("Environment ID").fill("env-1")
            await page.get_by_label("File IDs, one a line").fill(fileid)
            await page.get_by_role("button", name="Find the files").click()
            await expect(page.locator("#panel-cloud .card")).to_have_count(1)
        if kind == "account":
            await page.get_by_role("button", name="Run the checks").click()
            await expect(page.locator(".findings li")).to_have_count(13)
        for language in ("中文", "EN"):
            await page.get_by_role("button", name=language, exact=True).click()
            for width in WIDTHS:
                await fits(page, f"{kind}-{scheme}-{'en' if language == 'EN' else 'zh'}", width)
            await barriers(page)


async def fits(page: Page, name: str, width: int) -> None:
    """See that a width is enough, and that targets can be touched; keep a screenshot."""
    await page.set_viewport_size({"width": width, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") == width, name
    boxes = "all => all.map(one => one.getBoundingClientRect()).map(b => [b.left, b.right, b.width, b.height])"
    sizes: list[Any] = await page.locator("button:visible, label:visible, audio:visible").evaluate_all(boxes)
    for left, right, across, height in sizes:
        assert left >= 0
        assert right <= width
        assert min(across, height) >= 24
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png", full_page=True)


async def barriers(page: Page) -> None:
    """See that axe-core, if it is there, finds no serious issue."""
    if not AXE:
        return
    await page.evaluate(Path(AXE).read_text("utf-8"))
    found = await page.evaluate("axe.run()")
    serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in serious] == []
