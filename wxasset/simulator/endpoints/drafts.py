"""Drafts and their publication (wire reference 8.3).

A draft is published by the simulator's clock: `publishing_seconds` after freepublish/submit it leaves the draft box.
"""

from collections.abc import Sequence

from attrs import evolve

from wxasset.simulator.endpoints.articles import checked, shown
from wxasset.simulator.endpoints.paging import in_order, page_of
from wxasset.simulator.state.account import Account
from wxasset.simulator.state.drafts import PUBLISHING, Draft, DraftBox, Publication
from wxasset.simulator.wire.replies import ApiError, Document
from wxasset.simulator.wire.requests import ApiRequest, json_body, required_text, whole_number

_OK: Document = {"errcode": 0, "errmsg": "ok"}


def add(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/draft/add: the response has no errcode, as observed."""
    articles = json_body(request).get("articles")
    if not isinstance(articles, list) or not articles:
        raise ApiError(44003)  # observed for a missing list, and for one sent as a string
    if len(articles) > account.options.draft_articles:
        raise ApiError(45008)
    valid = [checked(account, article, alone=len(articles) == 1) for article in articles]
    media_id, now = account.identifiers.media_id(), int(account.clock.now())
    draft = Draft(media_id=media_id, articles=_with_urls(account, valid), create_time=now, update_time=now)
    account.drafts.drafts[media_id] = draft
    return {"media_id": media_id}


def get(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/draft/get."""
    draft = _draft(account, request)
    return {**_news(draft.articles), "create_time": draft.create_time, "update_time": draft.update_time}


def update(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/draft/update: replace one article. 40007 for a missing article is observed."""
    draft, document = _draft(account, request), json_body(request)
    index = whole_number(document, "index", default=0)
    if not 0 <= index < len(draft.articles):
        raise ApiError(account.options.errcode("draft_index"))
    given = document.get("articles")
    if not isinstance(given, dict):
        raise ApiError(40007)
    articles = list(draft.articles)
    articles[index] = {**checked(account, given, alone=len(articles) == 1), "url": articles[index]["url"]}
    changed = evolve(draft, articles=tuple(articles), update_time=int(account.clock.now()))
    account.drafts.drafts[draft.media_id] = changed
    return _OK


def delete(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/draft/delete."""
    del account.drafts.drafts[_draft(account, request).media_id]
    return _OK


def count(account: Account, _request: ApiRequest) -> Document:
    """GET /cgi-bin/draft/count."""
    return {"total_count": len(_listed(account))}


def list_page(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/draft/batchget: one page."""
    document = json_body(request)
    listed, content = _listed(account), document.get("no_content") not in (1, True)
    page = [
        {
            "media_id": draft.media_id,
            "content": {
                **_news(draft.articles, content=content),
                "create_time": draft.create_time,
                "update_time": draft.update_time,
            },
            "update_time": draft.update_time,
        }
        for draft in listed[page_of(document, account.options)]
    ]
    return {"item": page, "total_count": len(listed), "item_count": len(page)}


def switch(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/draft/switch: switch the draft box on, or return its state for `checkonly=1`; no body is needed."""
    if request.query.get("checkonly") != "1":
        account.drafts.opened = True
    return {**_OK, "is_open": int(account.options.drafts_open or account.drafts.opened)}


def submit(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/freepublish/submit."""
    draft, options, box = _draft(account, request), account.options, account.drafts
    if options.publish_refusal is not None:
        raise ApiError(options.publish_refusal)
    job = Publication(
        publish_id=box.next_job(),
        article_id=account.identifiers.media_id(),
        media_id=draft.media_id,
        articles=_with_urls(account, draft.articles),
        ends_at=account.clock.now() + options.publishing_seconds,
        outcome=options.publish_status,
    )
    box.submit(job)
    return {**_OK, "publish_id": job.publish_id, "msg_data_id": int(job.publish_id)}


def state(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/freepublish/get."""
    job = _settled(account).publications.get(str(json_body(request).get("publish_id")))
    if job is None:
        raise ApiError(53502)
    status = job.status(account.clock.now())
    head = {"publish_id": job.publish_id, "publish_status": status}
    if status == PUBLISHING:
        return {**head, "fail_idx": []}
    if job.outcome:
        return {**head, "fail_idx": list(range(1, len(job.articles) + 1))}
    if status:
        return {**head, "article_id": job.article_id, "fail_idx": []}
    items = [{"idx": number, "article_url": article["url"]} for number, article in enumerate(job.articles, 1)]
    return {
        **head,
        "article_id": job.article_id,
        "article_detail": {"count": len(items), "item": items},
        "fail_idx": [],
    }


def list_published(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/freepublish/batchget: one page."""
    document = json_body(request)
    content = document.get("no_content") not in (1, True)
    listed = in_order(_settled(account).published(account.clock.now()), account.options)
    page = [
        {
            "article_id": job.article_id,
            "content": _news(_marked(job), content=content),
            "update_time": int(job.ends_at),
        }
        for job in listed[page_of(document, account.options)]
    ]
    return {"item": page, "total_count": len(listed), "item_count": len(page)}


def get_article(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/freepublish/getarticle."""
    return _news(_marked(_published(account, request)))


def delete_published(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/freepublish/delete: one article by its number, or all without one."""
    job = _published(account, request)
    index = whole_number(json_body(request), "index", default=0)
    numbers = frozenset(range(1, len(job.articles) + 1))
    if index and index not in numbers:
        raise ApiError(account.options.errcode("article_index"))
    account.drafts.delete(job, frozenset({index}) if index else numbers)
    return _OK


def _settled(account: Account) -> DraftBox:
    account.drafts.settle(account.clock.now())
    return account.drafts


def _listed(account: Account) -> Sequence[Draft]:
    """Return the visible drafts, in the order of lists."""
    now, hidden = account.clock.now(), account.hidden_until
    drafts = reversed(list(_settled(account).drafts.values()))
    return in_order([one for one in drafts if now >= hidden.get(one.media_id, now)], account.options)


def _draft(account: Account, request: ApiRequest) -> Draft:
    """Return the requested draft: 41006 without an id, 40007 for an unknown one."""
    draft = _settled(account).drafts.get(required_text(json_body(request), "media_id", missing=41006))
    if draft is None:
        raise ApiError(40007)
    return draft


def _published(account: Account, request: ApiRequest) -> Publication:
    """Return the requested publication: 53600 for an unknown article_id."""
    article_id, now = json_body(request).get("article_id"), account.clock.now()
    found = next((job for job in _settled(account).published(now) if job.article_id == article_id), None)
    if found is None:
        raise ApiError(53600)
    return found


def _news(articles: Sequence[Document], *, content: bool = True) -> dict[str, object]:
    return {"news_item": [shown(article, content=content) for article in articles]}


def _marked(job: Publication) -> list[Document]:
    return [{**article, "is_deleted": number in job.deleted} for number, article in enumerate(job.articles, 1)]


def _with_urls(account: Account, articles: Sequence[Document]) -> tuple[Document, ...]:
    """Return articles with their links at mp.weixin.qq.com: temporary ones of a draft, permanent ones when published.

    No page is served there.
    """
    biz, part = account.appid[2:10], account.identifiers.link_part
    mid = 2_247_483_650 + len(account.drafts.drafts) + len(account.drafts.publications)
    return tuple(
        {**article, "url": f"http://mp.weixin.qq.com/s?__biz={biz}==&mid={mid}&idx={number}&sn={part(32)}#rd"}
        for number, article in enumerate(articles, 1)
    )
