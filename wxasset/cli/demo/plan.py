"""Files uploaded by the demonstration. Pure."""

from pathlib import Path
from typing import Final

from attrs import frozen

from wxasset.cli.runtime.inputs import Kind, material_type
from wxasset.wire.filenames import guarded_name
from wxasset.wire.formats import Format

__all__ = ["SAMPLES", "SampleFile", "piece_of"]

_SAMPLES: Final = Path(__file__).parents[1] / "samples"
_INTRODUCTION: Final = "Uploaded by the wxasset demonstration."


@frozen(kw_only=True)
class SampleFile:
    """One file of the demonstration.

    Attributes:
        path: The path of the file.
        type: WeChat's type of material.
        filename: The name in the library, or None for the file's own name.
        title: The title of a video, else None.
        introduction: The introduction of a video, else None.
    """

    path: Path
    type: Kind
    filename: str | None = None
    title: str | None = None
    introduction: str | None = None

    @property
    def name(self) -> str:
        """Return the name to show."""
        return self.filename or self.path.name


SAMPLES: Final = (
    # The service keeps names unchanged; this name has Chinese characters and a blank.
    SampleFile(path=_SAMPLES / "photo.jpg", type="image", filename="海报 photo.jpg"),
    SampleFile(path=_SAMPLES / "drawing.png", type="image", filename="drawing.png"),
    SampleFile(path=_SAMPLES / "voice.mp3", type="voice", filename="voice.mp3"),
    SampleFile(path=_SAMPLES / "voice.amr", type="voice", filename="voice.amr"),
    SampleFile(
        path=_SAMPLES / "clip.mp4",
        type="video",
        filename="clip.mp4",
        title="测试短片",
        introduction="两秒钟的测试画面，由 wxasset 演示程序上传。",
    ),
    SampleFile(path=_SAMPLES / "thumb.jpg", type="thumb", filename="thumb.jpg"),
)
"""Sample files of the package."""


def piece_of(path: Path, form: Format | None) -> SampleFile:
    """Plan the upload of a file of the detected format.

    Raises:
        SourceError: WeChat does not accept the format.
    """
    kind = material_type(path.name, form)
    if kind != "video":
        return SampleFile(path=path, type=kind)
    return SampleFile(path=path, type=kind, title=guarded_name(path.stem), introduction=_INTRODUCTION)
