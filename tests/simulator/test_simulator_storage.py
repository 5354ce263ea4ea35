"""Uploads to the simulator's cloud storage, and downloads of parts."""

import asyncio
import hashlib
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulated import MP4, START, UPLOAD, Answer, call, still_simulator, token_of, upload
from wxasset.simulator import Simulator
from wxasset.simulator.endpoints.object_storage import FormReader

sim = still_simulator


ENV = "test2-4a89da"
PATH = "这/is/a path.bin"
ORDER = ("key", "Signature", "x-cos-security-token", "x-cos-meta-fileid", "file")


async def grant(sim: Simulator, path: str = PATH) -> Any:
    """Ask for leave to upload."""
    return (await call(sim, "/tcb/uploadfile", {"env": ENV, "path": path}, access_token=await token_of(sim))).document


def fields_of(granted: Any, content: bytes) -> dict[str, bytes]:
    """The fields of the form, in order."""
    names = ("authorization", "token", "cos_file_id")
    values = (PATH.encode(), *(granted[name].encode() for name in names), content)
    return dict(zip(ORDER, values, strict=True))


def form(fields: dict[str, bytes]) -> bytes:
    """A form of these fields."""
    head = b"--b\r\nContent-Disposition: form-data; name="
    parts = (
        head + b'"%b"%b\r\n\r\n%b\r\n' % (name.encode(), b'; filename="f"' if name == "file" else b"", value)
        for name, value in fields.items()
    )
    return b"".join(parts) + b"--b--\r\n"


async def send(sim: Simulator, url: str, body: bytes) -> Answer:
    """Send a form."""
    return await call(sim, url, body=body, headers={"Content-Type": "multipart/form-data; boundary=b"})


async def test_a_grant_has_the_documented_shape(sim: Simulator) -> None:
    """The reply names the address, three secrets and the id of a file that does not exist yet."""
    granted = await grant(sim)
    assert list(granted) == ["errcode", "errmsg", "url", "token", "authorization", "file_id", "cos_file_id"]
    assert granted["url"].startswith(f"{sim.url}/cos.ap-shanghai.myqcloud.com/7465-{ENV}-1258717764/")
    assert granted["file_id"] == f"cloud://{ENV}.7465-{ENV}-1258717764/{PATH}"
    assert f"q-sign-time={int(START)};{int(START) + 900}&" in granted["authorization"]
    assert sim.cloud_files == {}


@pytest.mark.parametrize("size", [0, 5, 300_000])
async def test_a_file_exists_once_its_bytes_came(sim: Simulator, size: int) -> None:
    """The form is answered with 204 and nothing else, and every byte is there, boundary lookalikes and all."""
    granted = await grant(sim)
    content = (b"\r\n--" * size)[:size]
    answer = await send(sim, granted["url"], form(fields_of(granted, content)))
    assert (answer.status, answer.body) == (204, b"")
    assert sim.cloud_files == {granted["file_id"]: content}
    assert sim.journal[-1].status == 204


async def test_a_file_may_be_larger_than_any_body_of_the_api(sim: Simulator) -> None:
    """40 MiB are no problem for storage, which has no limit of 32."""
    granted = await grant(sim)
    content = b"x" * (40 * 1024 * 1024)
    assert (await send(sim, granted["url"], form(fields_of(granted, content)))).status == 204
    assert sim.cloud_files[granted["file_id"]] == content


async def test_a_signature_lives_for_fifteen_minutes(sim: Simulator) -> None:
    """After 900 seconds COS says in XML that the request has expired."""
    granted = await grant(sim)
    body = form(fields_of(granted, b"1"))
    sim.advance(899)
    assert (await send(sim, granted["url"], body)).status == 204
    sim.advance(1)
    answer = await send(sim, granted["url"], body)
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/xml")
    assert b"<Code>AccessDenied</Code>\n\t<Message>Request has expired</Message>" in answer.body


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("key", None, (400, "InvalidArgument")),
        ("key", b"other", (403, "SignatureDoesNotMatch")),
        ("Signature", None, (403, "AccessDenied")),
        ("Signature", b"q-sign-algorithm=sha1", (403, "AccessDenied")),
        ("x-cos-security-token", None, (403, "AccessDenied")),
        ("x-cos-meta-fileid", b"other", (403, "SignatureDoesNotMatch")),
        ("file", None, (400, "MalformedPOSTRequest")),
    ],
)
async def test_each_field_is_judged(sim: Simulator, name: str, value: bytes | None, expected: tuple[int, str]) -> None:
    """A field that is missing or wrong is refused in XML, and nothing is stored."""
    granted = await grant(sim)
    fields = {**fields_of(granted, b"1"), name: value}
    answer = await send(sim, granted["url"], form({key: one for key, one in fields.items() if one is not None}))
    assert (answer.status, re.findall(rb"<Code>(\w+)</Code>", answer.body)) == (expected[0], [expected[1].encode()])
    assert sim.cloud_files == {}


async def test_the_file_comes_last(sim: Simulator) -> None:
    """Fields after the file make the form malformed."""
    granted = await grant(sim)
    fields = fields_of(granted, b"1")
    answer = await send(sim, granted["url"], form({"file": fields.pop("file"), **fields}))
    assert (answer.status, sim.cloud_files) == (400, {})
    assert b"MalformedPOSTRequest" in answer.body


@pytest.mark.parametrize("body", [b"nonsense\r\n\r\n", b"--b\r\nX: 1\r\n\r\n1\r\n--b--", b"x" * 100_000])
async def test_a_body_that_is_no_form_is_malformed(sim: Simulator, body: bytes) -> None:
    """A body other than multipart/form-data with fields is rejected."""
    assert (await send(sim, (await grant(sim))["url"], body)).status == 400


async def test_storage_has_its_own_rules_of_transport(sim: Simulator) -> None:
    """Storage takes POST, with a length and as a form, and says so in its own words."""
    url = (await grant(sim))["url"]
    assert (await call(sim, url)).status == 405
    answer = await call(sim, url, body=b"{}")
    assert (answer.status, b"MalformedPOSTRequest" in answer.body) == (400, True)


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        ("Transfer-Encoding: chunked", b"411 Length Required MissingContentLength"),
        (f"Content-Length: {5 * 1024**3 + 1}", b"400 Bad Request EntityTooLarge"),
    ],
)
async def test_storage_judges_the_length_unread(sim: Simulator, header: str, refusal: bytes) -> None:
    """A form has to announce its length, and of more than 5 GiB nothing is read."""
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        path = (await grant(sim, "p"))["url"].removeprefix(sim.url)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            answer = await reader.readuntil(b"</Error>")
    finally:
        writer.close()
        await writer.wait_closed()
    found = re.search(rb"HTTP/1.1 (.*?)\r\n.*<Code>(.*)</Code>", answer, re.DOTALL)
    assert found is not None
    assert b" ".join(found.groups()) == refusal


@given(content=st.lists(st.sampled_from([b"\r", b"\n", b"--", b"b", b"x"])).map(b"".join), step=st.integers(1, 9))
def test_pieces_of_any_size_make_the_same_form(content: bytes, step: int) -> None:
    """However a form arrives, its fields and its file are the same."""
    assume(b"\r\n--b" not in b"\r\n" + content + b"\r\n")
    body = form({"key": b"a", "file": content})
    reader = FormReader(b"b")
    for start in range(0, len(body), step):
        reader.feed(body[start : start + step])
    assert (reader.fields, reader.file().content) == ({"key": "a"}, content)


@pytest.mark.parametrize(
    ("asked", "code"), [({"env": ENV}, 40101), ({"path": "a"}, 40101), ({"env": ENV, "path": "/a"}, 40097)]
)
async def test_leave_is_asked_for_properly(sim: Simulator, asked: dict[str, str], code: int) -> None:
    """An upload needs an environment and a path without a slash in front."""
    assert (await call(sim, "/tcb/uploadfile", asked, access_token=await token_of(sim))).errcode == code


# Parts


async def link_of(sim: Simulator, content: bytes) -> str:
    """A link to a cloud file."""
    fileid = sim.add_cloud_file(ENV, "a.bin", content)
    asked = {"env": ENV, "file_list": [{"fileid": fileid, "max_age": 60}]}
    answer = await call(sim, "/tcb/batchdownloadfile", asked, access_token=await token_of(sim))
    return str(answer.document["file_list"][0]["download_url"])


@pytest.mark.parametrize(
    ("asked", "status", "part", "content_range"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-3", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
async def test_a_part_can_be_had(
    sim: Simulator, asked: str, status: int, part: bytes, content_range: str | None
) -> None:
    """One range is served with 206, one beyond the end with 416; what is no range counts for nothing."""
    answer = await call(sim, await link_of(sim, b"0123456789"), headers={"Range": asked})
    assert (answer.status, answer.body, answer.headers.get("Content-Range")) == (status, part, content_range)
    assert answer.headers["Accept-Ranges"] == "bytes"


async def test_a_part_of_another_version_is_not_served(sim: Simulator) -> None:
    """With If-Range the part comes for the ETag of these bytes, and for any other everything."""
    link = await link_of(sim, b"0123456789")
    whole = await call(sim, link)
    for etag, status in ((whole.headers["ETag"], 206), ('"other"', 200)):
        answer = await call(sim, link, headers={"Range": "bytes=1-2", "If-Range": etag})
        assert answer.status == status


async def test_a_video_can_be_asked_about_and_had_in_parts(sim: Simulator) -> None:
    """HEAD tells the length and the ETag without the bytes."""
    media_id = (await upload(sim, UPLOAD, "video", "v.mp4", MP4)).document["media_id"]
    answer = await call(sim, "/cgi-bin/media/get", access_token=await token_of(sim), media_id=media_id)
    link = answer.document["video_url"]
    head = await call(sim, link, method="HEAD")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(len(MP4)), b"")
    assert re.fullmatch(r'"[0-9a-f]{32}"', head.headers["ETag"])
    assert (await call(sim, link, headers={"Range": "bytes=4-7"})).body == MP4[4:8]


async def test_a_large_file_is_kept_on_disk_and_served_in_parts(sim: Simulator) -> None:
    """A file above 4 MiB is memory-mapped, and served identically: whole, in parts and by HEAD."""
    granted = await grant(sim, PATH)
    content = bytes(range(256)) * 20_000
    assert (await send(sim, granted["url"], form(fields_of(granted, content)))).status == 204
    kept = sim._account.cloud_files.find(granted["file_id"])
    assert kept is not None
    assert isinstance(kept.content, memoryview)
    asked = {"env": ENV, "file_list": [{"fileid": granted["file_id"], "max_age": 60}]}
    answer = await call(sim, "/tcb/batchdownloadfile", asked, access_token=await token_of(sim))
    link = answer.document["file_list"][0]["download_url"]
    whole = await call(sim, link)
    assert whole.body == content
    assert whole.headers["ETag"] == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    assert (await call(sim, link, headers={"Range": "bytes=5000000-"})).body == content[5_000_000:]
    head = await call(sim, link, method="HEAD")
    assert (head.headers["Content-Length"], head.body) == (str(len(content)), b"")


async def test_a_link_leads_to_what_is_there(sim: Simulator) -> None:
    """A file that was uploaded anew is another version with another ETag; one that was deleted is NoSuchKey in XML."""
    link = await link_of(sim, b"0123456789")
    before = (await call(sim, link)).headers["ETag"]
    fileid = sim.add_cloud_file(ENV, "a.bin", b"another")
    answer = await call(sim, link, headers={"Range": "bytes=5-", "If-Range": before})
    assert (answer.status, answer.body) == (200, b"another")
    del sim.cloud_files[fileid]
    answer = await call(sim, link)
    assert (answer.status, b"<Code>NoSuchKey</Code>" in answer.body) == (404, True)


async def test_a_cloud_link_is_refused_in_the_words_of_cos(sim: Simulator) -> None:
    """A signature that ran out, and one that never was, are AccessDenied in XML."""
    link = await link_of(sim, b"1")
    sim.advance(60)
    assert b"<Message>Request has expired</Message>" in (await call(sim, link)).body
    assert b"<Message>Access Denied.</Message>" in (await call(sim, link + "x")).body


async def test_an_upload_in_the_place_of_another_is_the_one_that_was_made(sim: Simulator) -> None:
    """The journal names the file that a form replaced, and not the newest one there is."""
    granted = await grant(sim)
    body = form(fields_of(granted, b"1"))
    await send(sim, granted["url"], body)
    sim.add_cloud_file(ENV, "newer", b"2")
    await send(sim, granted["url"], body)
    assert sim.journal[-1].created == granted["file_id"]


@pytest.mark.parametrize(("fault", "status"), [("status-after-commit:502", 502), ("html-after-commit", 200)])
async def test_an_upload_can_be_stored_and_answered_otherwise(sim: Simulator, fault: str, status: int) -> None:
    """Faults after the commit hold for the form as well."""
    granted = await grant(sim)
    sim.fail("link", fault)
    answer = await send(sim, granted["url"], form(fields_of(granted, b"1")))
    assert (answer.status, b"<html>" in answer.body) == (status, True)
    assert sim.cloud_files == {granted["file_id"]: b"1"}
