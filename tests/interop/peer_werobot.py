"""The round of WeRoBot, as its users write it."""

import os

from werobot.client import Client

from telling import asked, go_round

client = Client({"APP_ID": os.environ["PEER_APPID"], "APP_SECRET": os.environ["PEER_SECRET"]})

asked("token", lambda: {"access_token": client.get_access_token()})
go_round(
    add=lambda kind, file: (
        client.upload_permanent_video("标题", "简介", file)
        if kind == "video"
        else client.upload_permanent_media(kind, file)
    ),
    count=client.get_media_count,
    listed=lambda kind: client.get_media_list(kind, 0, 20),
    get=client.download_permanent_media,
    delete=client.delete_permanent_media,
    upload=client.upload_media,
    download=client.download_media,
    article_image=client.upload_news_picture,
)
