"""Distinguish JSON responses from files by their first bytes."""

from typing import Any, Final, TypeVar

from wxasset.calls.base import Call, Download
from wxasset.calls.object_storage import FetchLink
from wxasset.errors import DecodeError, NotAFileError, ReplyTooLarge
from wxasset.transfer.downloads.download import FileReply
from wxasset.transfer.http import Reply
from wxasset.wire.codec import excerpt, looks_like_json, looks_like_page, reply_or_file
from wxasset.wire.filenames import is_attachment
from wxasset.wire.limits import KIB, Limits

__all__ = ["file_reply", "json_or_file", "max_reply", "not_a_file"]

R = TypeVar("R")

_ENVELOPE: Final = 4 * KIB  # bytes; maximum size of an error body sent with file headers


def max_reply(call: Call[Any], limits: Limits) -> int:
    """Return the maximum size of a JSON response in bytes."""
    return min(call.route.max_reply, limits.max_reply)


async def json_or_file(call: Download[R], reply: Reply, limits: Limits) -> R | FileReply:
    """Read the start of a response; return the decoded JSON, or the open file.

    Raises:
        DecodeError: The body is empty, or a page of HTML or XML.
        NotAFileError: A link leads to a page.
        ReplyTooLarge: The JSON is larger than the limit.
    """
    attachment = is_attachment(reply.disposition)
    most = _ENVELOPE if attachment else reply.most(max_reply(call, limits))
    head = await _head(reply)
    if looks_like_json(head):
        while len(head) <= most and (chunk := await reply.next_chunk()):
            head += chunk
        if len(head) <= most:
            answer: R | None = reply_or_file(bytes(head), call.reply, call.route.path, attachment=attachment)
            if answer is not None:
                return answer
        elif not attachment:
            # It may be an error, and an error must not be written to the destination.
            raise ReplyTooLarge(f"{reply.path} answered with more than {most} bytes.", reply.path, limit=most)
    if not attachment and looks_like_page(head):
        if isinstance(call, FetchLink):
            raise not_a_file(reply.path)
        start = excerpt(bytes(head))
        raise DecodeError(f"{reply.path} answered with a page of HTML or XML.", reply.path, excerpt=start)
    return file_reply(call, reply, limits, bytes(head))


async def _head(reply: Reply) -> bytearray:
    """Read chunks until one has more than white space."""
    head = bytearray()
    while len(head) <= _ENVELOPE and not head.strip() and (chunk := await reply.next_chunk()):
        head += chunk
    if len(head) <= _ENVELOPE and not head.strip():
        raise DecodeError(f"{reply.path} answered with an empty body.", reply.path)
    return head


def file_reply(call: Download[Any], reply: Reply, limits: Limits, head: bytes = b"", *, done: int = 0) -> FileReply:
    """Return a response as a file.

    Args:
        call: The call, for the fallback name of the file.
        reply: The open response.
        limits: The limits of the session.
        head: The bytes read so far.
        done: The number of bytes received by earlier responses.
    """
    fallback = str(getattr(call, "fallback", "") or getattr(call, "media_id", ""))
    fallback = fallback or call.route.path.rsplit("/", 1)[-1]
    return FileReply(fallback, reply, head, limits.max_download - done)


def not_a_file(path: str) -> NotAFileError:
    """Return the error for a link to a page."""
    return NotAFileError(f"{path} leads to a page, not to a file.", path)
