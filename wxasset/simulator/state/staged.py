"""Materials and media added by tests, without an upload and without its checks."""

from wxasset.simulator.state import formats
from wxasset.simulator.state.account import Account, Material, TemporaryMedia

__all__ = ["stage_material", "stage_media"]

_UNKNOWN = formats.Format("bin", "file", "application/octet-stream", "bin")


def stage_material(account: Account, kind: str, content: bytes, filename: str, texts: tuple[str, str]) -> str:
    """Add a permanent material and return its media_id; `texts` are the title and introduction of a video."""
    found = formats.sniff(content) or _UNKNOWN
    url = f"http://mmbiz.qpic.cn/mmbiz_{found.extension}/{account.identifiers.link_part(86)}/0?wx_fmt={found.name}"
    material = Material(
        media_id=account.identifiers.media_id(),
        type=kind,
        filename=filename,
        content=content,
        content_type=found.content_type,
        title=texts[0],
        introduction=texts[1],
        url=url if kind in ("image", "thumb") else None,
        update_time=int(account.clock.now()),
    )
    account.materials[material.media_id] = material
    return material.media_id


def stage_media(account: Account, kind: str, content: bytes, filename: str) -> str:
    """Add a temporary medium and return its media_id."""
    found = formats.sniff(content) or _UNKNOWN
    medium = TemporaryMedia(
        media_id=account.identifiers.temporary_media_id(),
        type=kind,
        filename=filename,
        content=content,
        content_type=found.content_type,
        extension=found.extension,
        created_at=int(account.clock.now()),
    )
    account.temporary_media[medium.media_id] = medium
    return medium.media_id
