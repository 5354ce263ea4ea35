"""The page of the simulator in a real browser: `nox -s browser`."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from browsing import chromium
from library_page import SHOTS, WIDTHS, Watch, barriers
from wxasset import UploadPolicy, WxSession
from wxasset.errors import WxAssetError
from wxasset.simulator import Simulator

expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, once for all tests."""
    async with chromium() as one:
        yield one


@pytest.fixture
def sim(wx_simulator: Simulator) -> Simulator:
    """A simulator in a thread of its own."""
    return wx_simulator


@pytest.fixture
async def wx_session(sim: Simulator) -> AsyncIterator[WxSession]:
    """A session on the simulator."""
    policy = UploadPolicy(reconcile="raise")
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, uploads=policy) as one:
        yield one


@pytest.fixture
async def page(browser: Browser, sim: Simulator, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """The page, in the language of a parameter; its console must stay silent, and nobody else is asked."""
    context = await browser.new_context(locale=getattr(request, "param", "en-GB"))
    one = await context.new_page()
    watch = Watch(sim.url)
    watch.on(one)
    await one.goto(f"{sim.url}/_sim/")
    await expect(one.locator("#totals")).not_to_be_empty()
    yield one
    await context.close()
    assert (watch.errors, watch.strangers, watch.refusals) == ([], [], 0)


async def test_a_fault_set_by_its_button_meets_the_next_upload(
    page: Page, wx_session: WxSession, photo: bytes, sim: Simulator
) -> None:
    """The button adds a rule, the upload fails with it, and the journal shows both uploads as they come."""
    await wx_session.add_material("image", photo, filename="before.jpg")
    await expect(page.locator("#items li")).to_have_count(1)
    assert await page.locator("#items img").evaluate("one => one.decode().then(() => one.naturalWidth)") > 0
    await page.get_by_role("button", name="HTTP 503").click()
    await expect(page.locator("#rules")).to_contain_text("add_material: status:503")
    with pytest.raises(WxAssetError):
        await wx_session.add_material("image", photo, filename="after.jpg")
    await expect(page.locator("#rules")).to_contain_text("0 left, 1 used")
    entry = page.locator("#entries li").first
    await expect(entry).to_contain_text("503")
    await expect(entry.locator(".fault")).to_have_text("status:503")
    await entry.locator("summary").click()
    await expect(entry).to_contain_text('filename="after.jpg"')
    assert [one.filename for one in sim.materials.values()] == ["before.jpg"]
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / "simulator-fault.png", full_page=True)


async def test_the_clock_moves_by_its_button(page: Page, sim: Simulator) -> None:
    """An hour later by the button is an hour later for the simulator, and the page says so."""
    before = sim.now()
    await page.get_by_role("button", name="+1 hour").click()
    await expect(page.locator("#message")).to_have_text("The clock moved by +1 hour.")
    assert 3600 <= sim.now() - before < 3700


async def test_everything_is_cleared_after_a_question(page: Page, sim: Simulator, wx_session: WxSession) -> None:
    """Escape keeps the library; the second button of the dialog clears it, by keyboard alone."""
    await wx_session.add_material("image", b"\x89PNG\r\n\x1a\n" + bytes(9), filename="a.png")
    await expect(page.locator("#entries li")).to_have_count(2)
    await page.get_by_role("button", name="Clear everything").first.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog")).to_be_hidden()
    assert len(sim.materials) == 1
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#message")).to_have_text("Everything was cleared.")
    await expect(page.locator("#entries li")).to_have_count(0)
    assert len(sim.materials) == 0


async def test_a_name_is_never_markup(page: Page, wx_session: WxSession) -> None:
    """Filenames and bodies are shown as text."""
    await wx_session.add_material("image", b"\x89PNG\r\n\x1a\n" + bytes(9), filename="<img src=x onerror=alert(1)>.png")
    await expect(page.locator("#items strong")).to_have_text("<img src=x onerror=alert(1)>.png")


async def test_tokens_are_cut(page: Page, sim: Simulator) -> None:
    """The page shows the beginning of a token, and its whole is nowhere in it."""
    token = sim.push_cloudbase_token()
    await expect(page.locator("#tokens li").first).to_contain_text(token[:6])
    assert token not in await page.content()


async def test_a_token_of_the_address_is_sent_and_hidden(browser: Browser, sim: Simulator) -> None:
    """`#token=` leaves the address at once and goes with each request as a bearer."""
    context = await browser.new_context()
    one = await context.new_page()
    sent: list[str | None] = []
    one.on(
        "request", lambda asked: sent.append(asked.headers.get("authorization")) if "overview" in asked.url else None
    )
    await one.goto(f"{sim.url}/_sim/#token=secret-1")
    await expect(one.locator("#totals")).not_to_be_empty()
    await expect(one).to_have_url(f"{sim.url}/_sim/")
    assert set(sent) == {"Bearer secret-1"}
    await context.close()


@pytest.mark.parametrize("page", ["en-GB", "zh-CN"], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_and_has_no_barriers(page: Page, wx_session: WxSession, photo: bytes, scheme: Any) -> None:
    """It fits each width in each language and scheme, and axe-core finds no serious issue."""
    await page.emulate_media(color_scheme=scheme)
    await wx_session.add_material("image", photo, filename="春节海报.jpg")
    await expect(page.locator("#items img")).to_have_count(1)
    await expect(page.locator("#entries li")).to_have_count(2)
    await page.locator("#entries summary").first.click()
    language = await page.locator("html").get_attribute("lang")
    assert await page.locator("h1").inner_text() == {"en": "Simulator", "zh": "模拟器"}[language or ""]
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        if SHOTS:
            await page.screenshot(path=Path(SHOTS) / f"simulator-{language}-{scheme}-{width}.png", full_page=True)
    await barriers(page)
