"""New materials and temporary media: uploaded, or added by tests without an upload and without its checks."""

from wxasset.simulator.state import formats
from wxasset.simulator.state.account import Account, Material, TemporaryMedia

__all__ = ["add_material", "add_media", "stage_material", "stage_media"]

_UNKNOWN = formats.Format("bin", "file", "application/octet-stream", "bin")


def add_material(
    account: Account, kind: str, filename: str, content: bytes, *, found: formats.Format, texts: tuple[str, str]
) -> Material:
    """Add a permanent material to the library; `texts` are the title and introduction of a video."""
    material = Material(
        media_id=account.identifiers.media_id(),
        type=kind,
        filename=filename,
        content=content,
        content_type=found.content_type,
        title=texts[0],
        introduction=texts[1],
        url=_image_url(account, found) if kind in ("image", "thumb") else None,
        update_time=int(account.clock.now()),
    )
    account.materials[material.media_id] = material
    return material


def add_media(account: Account, kind: str, filename: str, content: bytes, found: formats.Format) -> TemporaryMedia:
    """Add a temporary medium."""
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
    return medium


def stage_material(account: Account, kind: str, content: bytes, filename: str, texts: tuple[str, str]) -> str:
    """Add a permanent material that no upload has checked, and return its media_id."""
    return add_material(
        account, kind, filename, content, found=formats.sniff(content) or _UNKNOWN, texts=texts
    ).media_id


def stage_media(account: Account, kind: str, content: bytes, filename: str) -> str:
    """Add a temporary medium that no upload has checked, and return its media_id."""
    return add_media(account, kind, filename, content, formats.sniff(content) or _UNKNOWN).media_id


def _image_url(account: Account, found: formats.Format) -> str:
    """Return the URL of an image in the format of captures."""
    part = account.identifiers.link_part(86)
    return f"http://mmbiz.qpic.cn/mmbiz_{found.extension}/{part}/0?wx_fmt={found.name}"
