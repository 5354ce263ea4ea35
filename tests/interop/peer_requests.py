"""A program with the address of WeChat built in: with requests, or httpx if that is its argument."""

import json
import os
import sys
from typing import Any

from telling import asked, go_round

client: Any  # both have the same calls
if sys.argv[1] == "httpx":
    import httpx

    client = httpx.Client(timeout=30)
else:
    import requests

    client = requests.Session()

API = "https://api.weixin.qq.com/cgi-bin"
who = {"grant_type": "client_credential", "appid": os.environ["PEER_APPID"], "secret": os.environ["PEER_SECRET"]}
query = {"access_token": asked("token", lambda: client.post(f"{API}/stable_token", json=who)).get("access_token", "")}


def post(path: str, document: object) -> Any:
    """Call an endpoint with a JSON document."""
    return client.post(f"{API}/{path}", params=query, json=document)


def send(path: str, kind: str, file: Any) -> Any:
    """Upload a file."""
    words = {"description": json.dumps({"title": "标题", "introduction": "简介"}, ensure_ascii=False)}
    form = words if kind == "video" else None
    return client.post(f"{API}/{path}", params={**query, "type": kind}, files={"media": file}, data=form)


go_round(
    add=lambda kind, file: send("material/add_material", kind, file),
    count=lambda: client.get(f"{API}/material/get_materialcount", params=query),
    listed=lambda kind: post("material/batchget_material", {"type": kind, "offset": 0, "count": 20}),
    get=lambda media_id: post("material/get_material", {"media_id": media_id}),
    delete=lambda media_id: post("material/del_material", {"media_id": media_id}),
    upload=lambda kind, file: send("media/upload", kind, file),
    download=lambda media_id: client.get(f"{API}/media/get", params={**query, "media_id": media_id}),
    article_image=lambda file: send("media/uploadimg", "image", file),
)
