"""The samples of WeChat's own pages for curl, letter for letter: only their placeholders are replaced.

Sources: pages of addMaterial, getMaterial, delMaterial, deleteTcbCloudFile, and of the calls around them. Pages without
a sample for curl have one of a request body, sent as the page of getMaterial sends its own.
"""

import json
import os
import subprocess
from typing import Any

from telling import MEDIA, asked, go_round

API = "https://api.weixin.qq.com"
TOKEN = ""


def run(sample: str, **values: str) -> bytes:
    """Run a sample in a shell with values in place of its placeholders."""
    for name, value in {"ACCESS_TOKEN": TOKEN, **values}.items():
        sample = sample.replace(name.replace("media_file", "media.file").replace("test_jpg", "test.jpg"), value)
    done = subprocess.run(["bash", "-c", sample], capture_output=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.decode())
    return done.stdout


def body(path: str, document: str) -> bytes:
    """Send a request body as the sample of getMaterial does."""
    return run(f"curl \"{API}{path}?access_token=ACCESS_TOKEN\" -d '{document}'")


def add(kind: str, _file: Any) -> bytes:
    """Add a material with the two samples of addMaterial."""
    if kind == "video":
        return run(
            'curl "https://api.weixin.qq.com/cgi-bin/material/add_material?access_token=ACCESS_TOKEN&type=TYPE" '
            """-F media=@media.file -F description='{"title":VIDEO_TITLE, "introduction":INTRODUCTION}'""",
            TYPE=kind,
            media_file=MEDIA[kind],
            VIDEO_TITLE='"标题"',
            INTRODUCTION='"简介"',
        )
    return run(
        'curl "https://api.weixin.qq.com/cgi-bin/material/add_material?access_token=ACCESS_TOKEN&type=TYPE" '
        "-F media=@media.file",
        TYPE=kind,
        media_file=MEDIA[kind],
    )


def upload(kind: str, _file: Any) -> bytes:
    """Add temporary media with the sample of its page."""
    sample = (
        'curl -F media=@test.jpg "https://api.weixin.qq.com/cgi-bin/media/upload?access_token=ACCESS_TOKEN&type=TYPE"'
    )
    return run(sample, test_jpg=MEDIA[kind], TYPE=kind)


def head(media_id: str) -> bytes:
    """Fetch temporary media with the sample of its page, which asks for the headers alone."""
    sample = 'curl -I -G "https://api.weixin.qq.com/cgi-bin/media/get?access_token=ACCESS_TOKEN&media_id=MEDIA_ID"'
    return json.dumps({"head": run(sample, MEDIA_ID=media_id).decode()}).encode()


who = f"grant_type=client_credential&appid={os.environ['PEER_APPID']}&secret={os.environ['PEER_SECRET']}"
TOKEN = asked("token", lambda: run(f'curl "{API}/cgi-bin/token?{who}"')).get("access_token", "")
go_round(
    add=add,
    count=lambda: run(f'curl "{API}/cgi-bin/material/get_materialcount?access_token=ACCESS_TOKEN"'),
    listed=lambda kind: body("/cgi-bin/material/batchget_material", f'{{"type":"{kind}","offset":0,"count":20}}'),
    get=lambda media_id: body("/cgi-bin/material/get_material", f'{{"media_id":"{media_id}"}}'),
    delete=lambda media_id: body("/cgi-bin/material/del_material", f'{{"media_id":"{media_id}"}}'),
    upload=upload,
    download=head,
    article_image=lambda _: run(
        'curl -F media=@test.jpg "https://api.weixin.qq.com/cgi-bin/media/uploadimg?access_token=ACCESS_TOKEN"',
        test_jpg=MEDIA["image"],
    ),
)
ENV = "test2-4a89da"
permit = asked("cloud permit", lambda: body("/tcb/uploadfile", f'{{"env":"{ENV}","path":"A.png"}}'))
form = {
    "key": "A.png",
    "Signature": permit.get("authorization", ""),
    "x-cos-security-token": permit.get("token", ""),
    "x-cos-meta-fileid": permit.get("cos_file_id", ""),
}
fields = " ".join(f"--form-string '{name}={value}'" for name, value in form.items())
status = "-o /dev/null -w '{\"status\":%{http_code}}'"
asked("cloud upload", lambda: run(f"curl {fields} -F file=@{MEDIA['image']} {status} '{permit.get('url')}'"))
fileid = permit.get("file_id", "")
links = f'{{"env":"{ENV}","file_list":[{{"fileid":"{fileid}","max_age":7200}}]}}'
linked = asked("cloud link", lambda: body("/tcb/batchdownloadfile", links))
address = linked.get("file_list", [{}])[0].get("download_url", "")
asked("cloud get", lambda: run(f"curl '{address}'"))
asked("cloud delete", lambda: body("/tcb/batchdeletefile", f'{{"env":"{ENV}","fileid_list":["{fileid}"]}}'))
