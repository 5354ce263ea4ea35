"""Drafts and their publication, as publishing tools use them (wire reference 8.3)."""

import json
import re
from typing import Any

import pytest

from simulated import ADD, PNG, START, UPLOAD, Answer, call, still_simulator, token_of, upload
from wxasset.simulator import Simulator, SimulatorOptions

sim = still_simulator

DRAFT = "/cgi-bin/draft/"
PUBLISH = "/cgi-bin/freepublish/"
AMR = b"#!AMR\n\x3c"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


async def ask(sim: Simulator, path: str, document: object = None, **more: Any) -> Answer:
    """Call an endpoint with the account's token."""
    return await call(sim, path, document, access_token=await token_of(sim), **more)


async def picture(sim: Simulator, media_type: str = "image") -> str:
    """Upload a picture to the library and return its id."""
    return str((await upload(sim, ADD, media_type, "cover.jpg", JPEG)).document["media_id"])


async def article(sim: Simulator, **fields: object) -> dict[str, object]:
    """Return an article as publishing tools send it."""
    thumb = fields.pop("thumb_media_id", None) or await picture(sim)
    return {"title": "标题", "author": "作者", "content": "<p>正文</p>", "thumb_media_id": thumb, **fields}


async def draft(sim: Simulator, *articles: dict[str, object]) -> str:
    """Add a draft and return its id."""
    document = (await ask(sim, DRAFT + "add", {"articles": list(articles) or [await article(sim)]})).document
    assert list(document) == ["media_id"]
    return str(document["media_id"])


async def refusal(sim: Simulator, **fields: object) -> int:
    """Return the error code of a draft with one article of these fields."""
    return (await ask(sim, DRAFT + "add", {"articles": [await article(sim, **fields)]})).errcode


def options(**switches: Any) -> SimulatorOptions:
    """Return options with these switches."""
    return SimulatorOptions(**switches)


# Drafts


async def test_a_draft_is_added_read_changed_and_deleted(sim: Simulator) -> None:
    """The life of a draft with the documented responses."""
    media_id = await draft(sim, await article(sim, show_cover_pic=1, need_open_comment=1), await article(sim))
    document = (await ask(sim, DRAFT + "get", {"media_id": media_id})).document
    assert (document["create_time"], document["update_time"]) == (int(START), int(START))
    first, second = document["news_item"]
    assert {name: first[name] for name in ("article_type", "title", "author", "content", "need_open_comment")} == {
        "article_type": "news",
        "title": "标题",
        "author": "作者",
        "content": "<p>正文</p>",
        "need_open_comment": 1,
    }
    assert first["url"].startswith("http://mp.weixin.qq.com/s?__biz=")
    assert first["url"] != second["url"]
    assert first["thumb_url"].startswith("http://mmbiz.qpic.cn/")
    sim.advance(5)
    changed = {"media_id": media_id, "index": 1, "articles": await article(sim, title="新标题")}
    assert (await ask(sim, DRAFT + "update", changed)).document == {"errcode": 0, "errmsg": "ok"}
    document = (await ask(sim, DRAFT + "get", {"media_id": media_id})).document
    assert [one["title"] for one in document["news_item"]] == ["标题", "新标题"]
    assert (document["create_time"], document["update_time"]) == (int(START), int(START) + 5)
    assert (await ask(sim, DRAFT + "delete", {"media_id": media_id})).document == {"errcode": 0, "errmsg": "ok"}
    for path in ("get", "delete", "update"):
        assert (await ask(sim, DRAFT + path, {**changed, "media_id": media_id})).errcode == 40007
    assert (await ask(sim, DRAFT + "get", {"index": 0})).errcode == 41006


async def test_drafts_are_counted_and_listed(sim: Simulator) -> None:
    """Count and pages, newest first; `no_content` leaves out the content."""
    thumb = await picture(sim)
    ids = [await draft(sim, await article(sim, title=str(number), thumb_media_id=thumb)) for number in range(3)]
    assert (await ask(sim, DRAFT + "count")).document == {"total_count": 3}
    document = (await ask(sim, DRAFT + "batchget", {"offset": 1, "count": 20})).document
    assert [one["media_id"] for one in document["item"]] == [ids[1], ids[0]]
    assert (document["total_count"], document["item_count"]) == (3, 2)
    (entry,) = document["item"][0]["content"]["news_item"]
    assert (entry["title"], entry["content"]) == ("1", "<p>正文</p>")
    document = (await ask(sim, DRAFT + "batchget", {"offset": 0, "count": 1, "no_content": 1})).document
    assert "content" not in document["item"][0]["content"]["news_item"][0]
    assert (await ask(sim, DRAFT + "batchget", {"offset": 0, "count": 0})).errcode == 40097
    empty = {"item": [], "total_count": 3, "item_count": 0}
    assert (await ask(sim, DRAFT + "batchget", {"offset": 9, "count": 1})).document == empty
    assert list(sim.drafts) == ids
    assert (await ask(sim, "/cgi-bin/material/get_materialcount")).document["news_count"] == 0


async def test_a_picture_message_has_images_of_the_library(sim: Simulator) -> None:
    """A newspic draft names up to 20 permanent images and has plain text."""
    ids = [await picture(sim) for _ in range(2)]
    images = {"image_list": [{"image_media_id": one} for one in ids]}
    given: dict[str, Any] = {"article_type": "newspic", "title": "图", "content": "文字", "image_info": images}
    media_id = await draft(sim, {**given, "cover_info": {"crop_percent_list": [{"ratio": "1_1"}]}})
    (stored,) = (await ask(sim, DRAFT + "get", {"media_id": media_id})).document["news_item"]
    assert (stored["article_type"], stored["image_info"]) == ("newspic", images)
    assert stored["cover_info"] == {"crop_percent_list": [{"ratio": "1_1"}]}
    temporary = (await upload(sim, UPLOAD, "image", "a.png", PNG)).document["media_id"]
    voice = (await upload(sim, ADD, "voice", "a.amr", AMR)).document["media_id"]
    lists: list[object] = [
        [],
        [{"image_media_id": temporary}],
        [{"image_media_id": voice}],
        [{}],
        images["image_list"] * 11,
    ]
    for wrong in (None, *({"image_list": one} for one in lists)):
        assert (await ask(sim, DRAFT + "add", {"articles": [{**given, "image_info": wrong}]})).errcode == 40007
    for content in ("x" * 1_001, 'a <a href="https://x.example">link</a>'):
        assert (await ask(sim, DRAFT + "add", {"articles": [{**given, "content": content}]})).errcode == 45166
    assert (await ask(sim, DRAFT + "add", {"articles": [{**given, "article_type": "poem"}]})).errcode == 40097


@pytest.mark.parametrize("media_type", ["image", "thumb"])
async def test_a_cover_is_a_permanent_picture(sim: Simulator, media_type: str) -> None:
    """thumb_media_id names an image or thumb of the library; anything else gets 40007, also none at all."""
    assert await refusal(sim, thumb_media_id=await picture(sim, media_type)) == 0
    voice = (await upload(sim, ADD, "voice", "a.amr", AMR)).document["media_id"]
    temporary = (await upload(sim, UPLOAD, media_type, "a.jpg", JPEG)).document
    for wrong in (voice, temporary.get("media_id") or temporary["thumb_media_id"], sim.add_article(title="t"), "x", 5):
        assert await refusal(sim, thumb_media_id=wrong) == 40007
    bare = {"title": "t", "content": "c"}
    reply = await ask(sim, DRAFT + "add", {"articles": [bare]})
    assert re.match(r"invalid media_id hint: \[\w+\] rid: ", reply.document["errmsg"])


@pytest.mark.parametrize(
    ("fields", "errcode"),
    [
        ({"title": "题" * 32}, 0),
        ({"title": "题" * 33}, 45003),
        ({"author": "者" * 16}, 0),
        ({"author": "者" * 17}, 45110),
        ({"digest": "摘" * 128}, 0),
        ({"digest": "摘" * 129}, 45004),
        ({"content": "文" * 19_999}, 0),
        ({"content": "文" * 20_000}, 45002),
        ({"content": "<a" * 9_999}, 0),
        ({"title": ""}, 44003),
        ({"content": ""}, 44003),
        ({"title": 5}, 47001),
    ],
)
async def test_texts_have_the_documented_limits(sim: Simulator, fields: dict[str, object], errcode: int) -> None:
    """Title, author and digest have at most 32, 16 and 128 characters, a content fewer than 20,000."""
    assert await refusal(sim, **fields) == errcode


async def test_an_escaped_title_is_too_long(sim: Simulator) -> None:
    r"""With \u escapes, as `requests.post(json=...)` sends them, each character counts as six."""
    body = json.dumps({"articles": [await article(sim, title="标题有八个汉字")]}).encode()
    assert (await ask(sim, DRAFT + "add", body=body)).errcode == 45003


async def test_limits_are_switches(sim: Simulator) -> None:
    """Older pages had other limits, and some are chosen."""
    sim.options = options(draft_title=64, draft_content=50_000, draft_articles=1)
    assert await refusal(sim, title="题" * 64, content="文" * 49_999) == 0
    sim.options = options(draft_content=2_000_000)
    assert await refusal(sim, content="x" * (1024 * 1024)) == 45002


@pytest.mark.parametrize("articles", [None, [], "[]", {"title": "t"}, [5], ["text"]])
async def test_a_draft_without_articles_is_empty(sim: Simulator, articles: object) -> None:
    """44003 is observed for a missing list and for one sent as a string."""
    assert (await ask(sim, DRAFT + "add", {"articles": articles})).errcode == 44003
    assert not sim.drafts


async def test_a_draft_has_eight_articles_at_most(sim: Simulator) -> None:
    """A ninth article gets 45008, and a refused draft leaves nothing."""
    one = await article(sim)
    assert (await ask(sim, DRAFT + "add", {"articles": [one] * 9})).errcode == 45008
    assert not sim.drafts
    assert await draft(sim, *[one] * 8)


async def test_a_change_is_checked_like_a_draft(sim: Simulator) -> None:
    """draft/update without an article gets 40007, as observed, and so does an index out of range."""
    media_id = await draft(sim)
    good = await article(sim)
    for index, given, errcode in (
        (0, None, 40007),
        (0, [good], 40007),
        (1, good, 40007),
        (-1, good, 40007),
        (0, {**good, "title": "题" * 33}, 45003),
        (0, {**good, "thumb_media_id": ""}, 40007),
        (True, good, 40097),
    ):
        asked = {"media_id": media_id, "index": index, "articles": given}
        assert (await ask(sim, DRAFT + "update", asked)).errcode == errcode
    assert sim.drafts[media_id].articles[0]["title"] == "标题"


async def test_content_loses_scripts_and_foreign_images(sim: Simulator) -> None:
    """JavaScript and images that do not come from WeChat are filtered, as documented; the latter is a switch."""
    own = (await upload(sim, "/cgi-bin/media/uploadimg", "image", "a.png", PNG)).document["url"]
    other = "https://mmbiz.qpic.cn/mmbiz_png/abc/640?wx_fmt=png&amp;from=appmsg"
    here = sim.url + own.removeprefix("http://mmbiz.qpic.cn")
    kept = f'<p style="color:red">a &lt; b</p><img src="{own}"/><img data-src="{other}"><IMG src="{here}">'
    foreign = '<img alt="x" src="https://x.example/a.png"><img src=\'data:image/png;base64,AA\'><img src=//[x>'
    given = f'<script src="x">alert("<p>")</script>{kept}<p onclick="a()" class="b">c</p>{foreign}'
    media_id = await draft(sim, await article(sim, content=given))
    stored = str(sim.drafts[media_id].articles[0]["content"])
    assert stored == f'{kept}<p class="b">c</p><img alt="x"><img><img>'
    sim.options = options(foreign_images="keep")
    media_id = await draft(sim, await article(sim, content=foreign))
    assert sim.drafts[media_id].articles[0]["content"] == foreign


async def test_a_missing_digest_is_the_beginning_of_the_text(sim: Simulator) -> None:
    """The first 54 characters of the text of a single article, as documented."""
    media_id = await draft(sim, await article(sim, content="<h1>一&amp;</h1>\n<p>" + "字" * 100 + "</p>"))
    assert sim.drafts[media_id].articles[0]["digest"] == "一& " + "字" * 51
    media_id = await draft(sim, await article(sim, digest="摘要"), await article(sim))
    assert [one["digest"] for one in sim.drafts[media_id].articles] == ["摘要", ""]


async def test_the_box_has_a_switch(sim: Simulator) -> None:
    """draft/switch needs no body; with `checkonly=1` it tells the state only."""
    on, off = ({"errcode": 0, "errmsg": "ok", "is_open": state} for state in (1, 0))
    assert (await ask(sim, DRAFT + "switch", method="POST", checkonly="1")).document == on
    sim.options = options(drafts_open=False)
    assert (await ask(sim, DRAFT + "switch", method="POST", checkonly="1")).document == off
    assert (await ask(sim, DRAFT + "switch", method="POST")).document == on
    assert (await ask(sim, DRAFT + "switch", method="POST", checkonly="1")).document == on


async def test_privileges_of_drafts_are_switches(sim: Simulator) -> None:
    """Comments and goods need privileges; mini programs and unlisted paths get 48001."""
    assert await refusal(sim, need_open_comment=1, product_info={"footer_product_info": {"product_key": "k"}}) == 0
    sim.options = options(comment_privilege=False, product_refusal=53406)
    assert await refusal(sim, need_open_comment=1) == 88000
    assert await refusal(sim, need_open_comment=0, product_info={"footer_product_info": {}}) == 53406
    sim.options = options(unauthorized_paths=frozenset({DRAFT + "add"}))
    assert await refusal(sim) == 48001
    sim.options = options(account_kind="mini_program")
    assert (await ask(sim, DRAFT + "count")).errcode == 48001


# Publication


async def test_a_draft_is_published_by_the_clock(sim: Simulator) -> None:
    """The job runs until its time has come; then the draft has left the box and the articles have links."""
    media_id = await draft(sim, await article(sim), await article(sim))
    started = (await ask(sim, PUBLISH + "submit", {"media_id": media_id})).document
    publish_id = started["publish_id"]
    assert started == {"errcode": 0, "errmsg": "ok", "publish_id": "100000001", "msg_data_id": started["msg_data_id"]}
    asked = {"publish_id": publish_id}
    running = {"publish_id": publish_id, "publish_status": 1, "fail_idx": []}
    assert (await ask(sim, PUBLISH + "get", asked)).document == running
    assert (media_id in sim.drafts, (await ask(sim, DRAFT + "count")).document["total_count"]) == (True, 1)
    sim.advance(2)
    done = (await ask(sim, PUBLISH + "get", {"publish_id": int(publish_id)})).document
    assert (done["publish_status"], done["article_detail"]["count"], done["fail_idx"]) == (0, 2, [])
    assert [one["idx"] for one in done["article_detail"]["item"]] == [1, 2]
    assert (media_id in sim.drafts, (await ask(sim, DRAFT + "count")).document["total_count"]) == (False, 0)
    assert (await ask(sim, DRAFT + "get", {"media_id": media_id})).errcode == 40007
    news = (await ask(sim, PUBLISH + "getarticle", {"article_id": done["article_id"]})).document["news_item"]
    assert [(one["title"], one["is_deleted"]) for one in news] == [("标题", False)] * 2
    assert [one["url"] for one in news] == [one["article_url"] for one in done["article_detail"]["item"]]


async def test_published_articles_are_listed_and_deleted(sim: Simulator) -> None:
    """One article by its number, then all; without any left the status is 5."""
    sim.options = options(publishing_seconds=0)
    media_id = await draft(sim, await article(sim), await article(sim))
    publish_id = (await ask(sim, PUBLISH + "submit", {"media_id": media_id})).document["publish_id"]
    document = (await ask(sim, PUBLISH + "batchget", {"offset": 0, "count": 20, "no_content": 1})).document
    assert (document["total_count"], document["item_count"], document["item"][0]["update_time"]) == (1, 1, int(START))
    article_id = document["item"][0]["article_id"]
    assert "content" not in document["item"][0]["content"]["news_item"][0]
    assert (await ask(sim, PUBLISH + "delete", {"article_id": article_id, "index": 3})).errcode == 53600
    assert (await ask(sim, PUBLISH + "delete", {"article_id": article_id, "index": 2})).errcode == 0
    news = (await ask(sim, PUBLISH + "getarticle", {"article_id": article_id})).document["news_item"]
    assert [one["is_deleted"] for one in news] == [False, True]
    assert (await ask(sim, PUBLISH + "delete", {"article_id": article_id})).errcode == 0
    assert (await ask(sim, PUBLISH + "get", {"publish_id": publish_id})).document["publish_status"] == 5
    for path in ("delete", "getarticle"):
        assert (await ask(sim, PUBLISH + path, {"article_id": article_id})).errcode == 53600
    assert (await ask(sim, PUBLISH + "batchget", {"offset": 0, "count": 1})).document["item"] == []


@pytest.mark.parametrize("outcome", [2, 3, 4])
async def test_a_failed_publication_keeps_its_draft(sim: Simulator, outcome: int) -> None:
    """A failure names the articles by their numbers, and lists none."""
    sim.options = options(publish_status=outcome)
    media_id = await draft(sim, await article(sim), await article(sim))
    publish_id = (await ask(sim, PUBLISH + "submit", {"media_id": media_id})).document["publish_id"]
    sim.advance(2)
    failed = {"publish_id": publish_id, "publish_status": outcome, "fail_idx": [1, 2]}
    assert (await ask(sim, PUBLISH + "get", {"publish_id": publish_id})).document == failed
    assert list(sim.drafts) == [media_id]
    assert (await ask(sim, PUBLISH + "batchget", {"offset": 0, "count": 1})).document["total_count"] == 0


async def test_publication_needs_a_draft_and_a_verified_account(sim: Simulator) -> None:
    """Unknown ids, checks of the platform, and accounts without verification have the documented codes."""
    assert (await ask(sim, PUBLISH + "submit", {"media_id": "x"})).errcode == 40007
    assert (await ask(sim, PUBLISH + "get", {"publish_id": "1"})).errcode == 53502
    sim.options = options(publish_refusal=53503)
    media_id = await draft(sim)
    assert (await ask(sim, PUBLISH + "submit", {"media_id": media_id})).errcode == 53503
    sim.options = options(verified=False)
    for path in ("submit", "get", "batchget", "getarticle", "delete"):
        assert (await ask(sim, PUBLISH + path, {"media_id": media_id})).errcode == 48001
    assert await draft(sim)


async def test_drafts_belong_to_their_account_and_to_a_run(sim: Simulator) -> None:
    """Another account has a box of its own, the journal names a draft, and a reset empties the box."""
    other = sim.add_account()
    media_id = await draft(sim)
    assert (media_id in sim.drafts, other.drafts) == (True, {})
    assert sim.journal[-1].created == media_id
    sim.reset()
    assert (sim.drafts, sim.publications) == ({}, {})
