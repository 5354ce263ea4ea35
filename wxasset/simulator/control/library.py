"""The library over HTTP."""

from wxasset.simulator.control.routes import ControlRequest, Reply
from wxasset.simulator.control.settings import OfAccount

__all__ = ["show_state"]

_KINDS = ("voice", "video", "image", "news")


def show_state(control: ControlRequest, chosen: OfAccount) -> Reply:
    """Return the content and the counts of the library of an account."""
    account = control.shared.service.accounts[control.account(chosen.appid).appid]
    materials = [
        {
            "media_id": one.media_id,
            "type": one.type,
            "filename": _printable(one.filename),
            "title": _printable(one.title),
            "size": len(one.content),
            "update_time": one.update_time,
        }
        for one in list(account.materials.values())
    ]
    media = [
        {"media_id": one.media_id, "type": one.type, "filename": _printable(one.filename), "size": len(one.content)}
        for one in list(account.temporary_media.values())
    ]
    return {
        "now": account.clock.now(),
        "token_calls": control.shared.token_calls,
        "counts": {kind: len(account.listed(kind)) for kind in _KINDS},
        "materials": materials,
        "temporary_media": media,
        "cloud_files": [{"fileid": name, "size": size} for name, size in account.cloud_files.sizes().items()],
        "article_images": [{"url": url, "size": len(data)} for url, data in list(account.article_images.items())],
    }


def _printable(text: str) -> str:
    """Replace bytes of a name outside UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
