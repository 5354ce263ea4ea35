"""The peers: libraries and programs of others, with what they need and what they are known to do wrong."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal
from urllib.parse import quote

from attrs import field, frozen

from judging import FILES

__all__ = ["AS_THEY_ARE", "PEERS", "Peer"]

AS_THEY_ARE: Final = {kind: name for kind, (name, _) in FILES.items()} | {"title": "标题", "introduction": "简介"}


@frozen(kw_only=True)
class Peer:
    """A library, and the differences of its round.

    Attributes:
        name: Its name and version.
        runtime: The language of its program.
        packages: What is installed for it, in an environment of its own.
        program: Its program, and arguments.
        options: Options of `wxasset simulate`.
        names: Names of materials that differ from those of the files.
        faults: Steps that fail in the client, with the reason.
    """

    name: str
    runtime: Literal["python", "node"]
    packages: Sequence[str]
    program: Sequence[str]
    options: Sequence[str] = ()
    names: Mapping[str, str] = field(factory=dict)
    faults: Mapping[str, str] = field(factory=dict)


def _bare(name: str, runtime: Literal["python", "node"], program: str, *packages: str) -> Peer:
    return Peer(name=name, runtime=runtime, packages=packages, program=(program, name.split(maxsplit=1)[0]))


PEERS: Final = (
    Peer(name="curl samples", runtime="python", packages=(), program=("peer_curl.py",)),
    _bare("requests", "python", "peer_requests.py", "requests"),
    _bare("httpx", "python", "peer_requests.py", "httpx"),
    _bare("axios", "node", "peer_axios.cjs", "axios"),
    _bare("fetch of Node", "node", "peer_axios.cjs"),
    Peer(
        name="wechatpy 1.8.18",
        runtime="python",
        packages=("wechatpy[cryptography]==1.8.18",),
        program=("peer_wechatpy.py",),
        # It sends the description of a video in the query, with escapes, which stay what they are (2.1, 4.5).
        options=("--description-in-query",),
        names={"title": r"\u6807\u9898", "introduction": r"\u7b80\u4ecb"},
    ),
    Peer(
        name="wechatpy 2.0.0a26",
        runtime="python",
        packages=("wechatpy[cryptography]==2.0.0a26",),
        program=("peer_wechatpy.py",),
        options=("--description-in-query",),  # the same
        names={"title": r"\u6807\u9898", "introduction": r"\u7b80\u4ecb"},
    ),
    Peer(
        name="WeRoBot 1.13.1",
        runtime="python",
        packages=("werobot==1.13.1",),
        program=("peer_werobot.py",),
        # It percent-encodes names of all but videos, and the material is named so (4.3).
        names={"image": quote(AS_THEY_ARE["image"])},
    ),
    Peer(
        name="xqcwechat 0.1.9",
        runtime="python",
        packages=("xqcwechat==0.1.9",),
        program=("peer_xqcwechat.py",),
        faults={
            "add video": "it sends title and introduction as fields of the form, without a description (2.1)",
            **{
                f"get {kind}": "it reads every response as JSON, and takes the bytes of a file for an error"
                for kind in ("image", "voice", "thumb")
            },
            "get deleted": "it passes an argument that its own method does not have, and hides the code of the error",
            "update draft": "it sends a list of articles without an index, where the documentation has one article",
        },
    ),
    Peer(
        name="wechat-publish 1.0.1",
        runtime="python",
        packages=("wechat-publish==1.0.1",),
        program=("peer_wechat_publish.py",),
    ),
    Peer(name="wewrite 4.2.1", runtime="python", packages=("wewrite==4.2.1",), program=("peer_wewrite.py",)),
    Peer(
        name="co-wechat-api 3.11.0",
        runtime="node",
        packages=("co-wechat-api@3.11.0",),
        program=("peer_co_wechat_api.cjs",),
    ),
    Peer(name="wechat-api 1.35.1", runtime="node", packages=("wechat-api@1.35.1",), program=("peer_wechat_api.cjs",)),
    Peer(
        name="node-easywechat 3.6.2",
        runtime="node",
        packages=("node-easywechat@3.6.2", "node-socialite@1.4.1"),  # later ones lack a file that it needs
        program=("peer_node_easywechat.cjs",),
    ),
    Peer(
        name="@wenyan-md/core 3.0.10",
        runtime="node",
        packages=("@wenyan-md/core@3.0.10", "jsdom@27", "form-data-encoder@4", "formdata-node@6"),
        program=("peer_wenyan.mjs",),
    ),
)
