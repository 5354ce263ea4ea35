"""Images under the addresses in responses (wire reference 2.1, 2.6), for programs that are intercepted."""

from collections.abc import Iterator

from wxasset.simulator.state.account import Account
from wxasset.simulator.state.formats import sniff
from wxasset.simulator.wire.replies import RawReply
from wxasset.simulator.wire.requests import ApiRequest

_HOST = "mmbiz.qpic.cn"


def owns(path: str) -> bool:
    """Return True if a path belongs to images rather than to the API."""
    return path.startswith(f"/{_HOST}/")


def serve(account: Account, request: ApiRequest) -> RawReply:
    """Return the bytes of an image of any account. Chosen: the query does not matter, and 404 for an unknown image."""
    if request.method not in ("GET", "HEAD"):
        return RawReply(status=405, headers={"Allow": "GET, HEAD"})
    address = f"http:/{request.path}"
    for owner in list(account.directory.values()):
        for url, content in _images(owner):
            if url.partition("?")[0] == address:
                found = sniff(content)
                return RawReply(headers={"Content-Type": found.content_type} if found else {}, body=content)
    return RawReply(status=404)


def _images(account: Account) -> Iterator[tuple[str, bytes]]:
    yield from list(account.article_images.items())
    for material in list(account.materials.values()):
        if material.url is not None:
            yield material.url, material.content
