"""Blocks of Python that are run as printed, with what they find and what they leave behind."""

import ast
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from attrs import frozen

import readme_apps
from pictures import make_pictures, picture
from wxasset import WxSession
from wxasset.simulator import Simulator


@frozen
class Scene:
    """What a block has been run in, and what it can be judged by."""

    wx: WxSession
    sim: Simulator
    here: Path
    namespace: dict[str, Any]
    block: str


async def _uploads(scene: Scene) -> None:
    """Everything is in the library under its name, and only what belongs there."""
    names = [one.filename for one in scene.sim.materials.values()]
    assert names == ["海报.png", "greeting.mp3", "clip.mp4", "cover.jpg"]


async def _app(scene: Scene) -> None:
    """A form that is sent to the application ends in the library, and comes back from there; a wrong id is a 404."""
    await readme_apps.use_the_app(scene.namespace["app"], scene.sim, (scene.here / "poster.png").read_bytes())


async def _accounts(scene: Scene) -> None:
    """Each of two accounts shows its own materials, and no other ones; the cache is where it was named."""
    await readme_apps.use_two_accounts(scene.namespace["app"], scene.sim, scene.wx)
    assert {one.suffix for one in (scene.here / "previews").iterdir()} == {".bin", ".json"}


async def _bot(scene: Scene) -> None:
    """A voice is saved once, however often WeChat sends it; strangers and bombs are turned away."""
    await readme_apps.use_the_bot(scene.namespace["app"], scene.sim, scene.wx, scene.here / "voices")


def _posters(scene: Scene) -> None:
    """A directory of three posters, and something that only looks like one."""
    make_pictures(scene.here / "posters", 3)
    (scene.here / "posters" / "notes.png").write_bytes(b"no image")


async def _batch(scene: Scene) -> None:
    """All posters are in the library; run once more it sends none of them again."""
    assert len(scene.sim.materials) == 3
    before = len(scene.sim.journal)
    await run(scene.namespace, scene.block, "the batch once more")
    assert len(scene.sim.materials) == 3
    assert [entry.path for entry in scene.sim.journal[before:]] == []


def _unused(scene: Scene) -> None:
    """Records of 70 files, of which one is gone already; the second request meets the end of the day's quota."""
    ids = [scene.sim.add_cloud_file("env-id", f"{number}.png", b"content") for number in range(70)]
    del scene.sim.cloud_files[ids[7]]
    (scene.here / "unused.txt").write_text("\n".join(ids))
    scene.sim.fail("/tcb/batchdeletefile", "errcode:45009", after=1)


async def _cleaning(scene: Scene) -> None:
    """What is left is recorded, and gone after another run."""
    left = (scene.here / "unused.txt").read_text().split()
    assert set(left) == set(scene.sim.cloud_files)
    assert 20 <= len(left) <= 50
    await run(scene.namespace, scene.block, "cleaning once more")
    assert (scene.here / "unused.txt").read_text() == ""
    assert scene.sim.cloud_files == {}


async def _platform(scene: Scene) -> None:
    """A shop authorizes the platform, and a form sent for it ends in its own library."""
    await readme_apps.use_the_platform(scene.namespace["app"], scene.sim, (scene.here / "poster.png").read_bytes())


async def _hooks(scene: Scene) -> None:
    """The hook saw the call, and the fetch of the token that it needed."""
    assert scene.namespace["seen"]["CountMaterials", "ok"] == 1


async def _cloud(scene: Scene) -> None:
    """The file is in cloud storage, and on the disk again."""
    (content,) = scene.sim.cloud_files.values()
    assert content == (scene.here / "poster.png").read_bytes() == (scene.here / "downloads" / "may.png").read_bytes()


async def _report(scene: Scene) -> None:
    """All posters are in the library, and the report says so."""
    assert len(scene.sim.materials) == scene.namespace["report"].done == 3


async def _ensure(scene: Scene) -> None:
    """The poster is in the library once."""
    assert [*scene.sim.materials] == [scene.namespace["first"].media_id]


async def _doubts(scene: Scene) -> None:
    """The ledger is empty, and finds nothing."""
    assert scene.namespace["found"] is None


def _library(scene: Scene) -> None:
    """A library with two images."""
    for number in range(2):
        scene.sim.add_material("image", picture(number), filename=f"{number}.png")


async def _fetch(scene: Scene) -> None:
    """Both images are on the disk."""
    saved = sorted(path.read_bytes() for path in (scene.here / "library").iterdir())
    assert saved == sorted(one.content for one in scene.sim.materials.values())
    assert len(saved) == 2


async def _trees(scene: Scene) -> None:
    """Paths are kept on the way to the storage; the files that were downloaded have the same bytes."""
    assert [one.rpartition("/site/")[2] for one in scene.sim.cloud_files] == ["images/poster.png", "again.png"]
    (saved,) = (scene.here / "downloads").rglob("*.png")
    assert saved.read_bytes() == (scene.here / "poster.png").read_bytes()


PREPARATIONS: dict[str, Callable[[Scene], None]] = {
    "batch": _posters,
    "cleaning": _unused,
    "fetch": _library,
}
CHECKS: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "uploads": _uploads,
    "app": _app,
    "accounts": _accounts,
    "bot": _bot,
    "batch": _batch,
    "report": _report,
    "ensure": _ensure,
    "fetch": _fetch,
    "doubts": _doubts,
    "trees": _trees,
    "cleaning": _cleaning,
    "cloud": _cloud,
    "platform": _platform,
    "hooks": _hooks,
}


async def run(namespace: dict[str, Any], text: str, where: str) -> None:
    """Run a block in which `await` may stand anywhere."""
    code = compile(text, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, namespace)  # noqa: S307 - our own README
    if inspect.isawaitable(result):
        await result
