"""The round of xqcwechat, as its users write it."""

import os
from collections.abc import Callable
from contextlib import redirect_stdout
from sys import stderr
from typing import Any, ParamSpec

with redirect_stdout(stderr):
    from xqcwechat import Asset, Auth, Draft, Publish

from telling import ARTICLE, asked, go_round

auth = Auth(os.environ["PEER_APPID"], os.environ["PEER_SECRET"])
asset, draft, publish = Asset(auth), Draft(auth), Publish(auth)


P = ParamSpec("P")


def quietly(call: Callable[P, Any]) -> Callable[P, Any]:
    """Keep what the library prints away from the steps."""

    def calling(*arguments: P.args, **options: P.kwargs) -> Any:
        with redirect_stdout(stderr):
            return call(*arguments, **options)

    return calling


asked("token", quietly(lambda: {"access_token": auth.get_access_token()}))
go_round(
    add=quietly(
        lambda kind, file: asset.add_material(
            kind, file.name, description={"title": "标题", "introduction": "简介"} if kind == "video" else None
        )
    ),
    count=quietly(asset.get_material_count),
    listed=quietly(asset.batch_get_material),
    get=quietly(asset.get_material),
    delete=quietly(asset.del_material),
    upload=quietly(lambda kind, file: asset.upload_temp_media(kind, file.name)),
    download=quietly(asset.get_media),
    article_image=quietly(lambda file: asset.upload_image(file.name)),
)
cover = quietly(asset.add_material)("image", "海报.png").get("media_id", "")
article = {**ARTICLE, "thumb_media_id": cover}
post = {
    "article_type": "newspic",
    "title": "图",
    "content": "文",
    "image_info": {"image_list": [{"image_media_id": cover}]},
}
added = asked("add draft", quietly(lambda: draft.draft_add([article]))).get("media_id", "")
asked("get draft", quietly(lambda: draft.get_draft(added)))
asked("count drafts", quietly(draft.draft_count))
asked("list drafts", quietly(draft.draft_batchget))
asked("update draft", quietly(lambda: draft.draft_update(added, [{**article, "title": "新标题"}])))
asked("add image post", quietly(lambda: draft.draft_add([post])))
published = asked("publish", quietly(lambda: publish.freepublish_submit(added))).get("publish_id", "")
asked("get publish", quietly(lambda: publish.freepublish_get(published)))
other = quietly(lambda: draft.draft_add([article]))().get("media_id", "")
asked("delete draft", quietly(lambda: draft.draft_delete(other)))
