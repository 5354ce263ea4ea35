"""The files that commands are given: read far enough to know what they are."""

from pathlib import Path

from anyio import to_thread

from wxasset.cli.demo.plan import Kind, material_type
from wxasset.errors import Hint, SourceError
from wxasset.wire.formats import HEAD_SIZE, Format, sniff

__all__ = ["format_of", "kind_of"]


async def format_of(path: Path) -> Format | None:
    """Tell a file's format by its first bytes; None where it is not known.

    Raises:
        SourceError: It cannot be read.
    """
    return sniff(await to_thread.run_sync(_head, path))


async def kind_of(path: Path) -> Kind:
    """Choose the type of material for a file; a JPEG becomes an image, not a thumb.

    Raises:
        SourceError: It cannot be read, or WeChat has no material for it.
    """
    head = await to_thread.run_sync(_head, path)
    if not head:
        raise SourceError(f"{path.name} is empty.", Hint("Check the file.", "文件为空，请检查。"))
    return material_type(path.name, sniff(head))


def _head(path: Path) -> bytes:
    """Read the first bytes of a file, in a thread."""
    problem = "it is not a regular file"
    try:
        if path.is_file() or not path.exists():  # a pipe or a device might never give its first bytes
            with path.open("rb") as file:
                return file.read(HEAD_SIZE)
    except OSError as error:
        problem = error.strerror or str(error)
    raise SourceError(
        f"{path} cannot be read: {problem}.",
        Hint("Nothing was uploaded; check the path.", "未上传任何内容，请检查文件路径。"),
    )
