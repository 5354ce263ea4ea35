"""Parse JSON bodies, and detect error responses in whole and broken ones. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from wxasset.errors import DecodeError
from wxasset.errors.text import printable
from wxasset.wire.error_replies import api_error
from wxasset.wire.formats import BLANKS, charset

__all__ = [
    "ENVELOPE",
    "EXCERPT",
    "LARGEST",
    "as_int",
    "excerpt",
    "parse",
    "raise_for_errcode",
    "raise_if_error",
    "undecodable",
]

ENVELOPE: Final = frozenset({"errcode", "errmsg", "rid"})
"""Keys of an error response."""
LARGEST: Final = 2**53
"""Largest absolute value of an integer from outside: JSON numbers are exact up to it (RFC 8259, section 6)."""
EXCERPT: Final = 200
"""Maximum number of characters of an excerpt; sufficient for the headline of a gateway's page."""
# Patterns for broken bodies; they are compiled for the first one.
_KEY: Final = r"""[\s,]*["']?(\w+)["']?\s*:\s*"""
_CODE: Final = r"""["']errcode["']\s*:\s*["']?(-?[0-9]{1,18})["']?\s*[,}]"""
_END: Final = r"[\s,}]"  # without it a number may be truncated
_DECODER: Final = json.JSONDecoder(strict=False)  # json.loads would create one per response


def as_int(value: object) -> int | None:
    """Convert a number or a string of digits to int; None for anything else, and beyond ±2**53.

    WeChat sends some codes as strings (wire reference 0.3).
    """
    if type(value) is int:  # nearly all of them
        return value if -LARGEST <= value <= LARGEST else None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return value
    return None


def excerpt(body: bytes) -> str:
    """Return the start of a body on one line for an error: at most 200 characters, unprintable ones replaced."""
    return printable(body[: 4 * EXCERPT].decode(charset(body), "replace"))[:EXCERPT].strip()


def _text(body: bytes) -> str:
    # Live responses contain invalid UTF-8 from user content (wire reference 0.4).
    return body.decode(charset(body), "replace").strip(BLANKS)


def parse(body: bytes, path: str) -> dict[str, Any]:
    """Parse the JSON object of a response.

    Raises:
        APIError: The body is a broken object, but has the code of an error.
        DecodeError: The body is not a JSON object, is nested too deep, or contains an excessively long number.
    """
    text = _text(body)
    try:
        document, end = _DECODER.raw_decode(text)  # `decode` would look for blanks, twice
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except (RecursionError, ValueError) as error:
        raise_for_errcode(body, path)
        problem = _why(error, text)
    else:
        if isinstance(document, dict):
            return document
        problem = f"JSON of an unexpected type ({type(document).__name__})"
    raise undecodable(problem, body, path)


def raise_for_errcode(body: bytes, path: str) -> None:
    """Raise the error of a broken or truncated JSON object, if its code is complete.

    Raises:
        APIError: The keys before the damage include the code of an error.
    """
    text = _text(body)
    found: dict[str, object] = {}
    name, place, keys, ends = "", 1, re.compile(_KEY), re.compile(_END)
    while text.startswith("{") and (key := keys.match(text, place)):
        name, place = key[1], key.end()
        try:
            value, place = _DECODER.raw_decode(text, place)
        except (RecursionError, ValueError):
            break
        if isinstance(value, str) or ends.match(text, place):
            found[name] = value
    if name == "errmsg" and "errcode" not in found and (code := re.compile(_CODE).search(text, place)):
        found["errcode"] = code[1]  # behind a message with unescaped quotes
    if as_int(found.get("errcode")):
        raise_if_error({"errmsg": text[place:].strip("\"' "), **found}, path)


def undecodable(problem: str, body: bytes, path: str) -> DecodeError:
    """Return the error for a body, with its start."""
    return DecodeError(f"{path} returned {problem}.", path, excerpt=excerpt(body))


def _why(error: Exception, text: str) -> str:
    if not text:
        return "an empty body"
    if text.startswith("<"):
        return "a page of HTML or XML"
    if isinstance(error, RecursionError):
        return "JSON nested too deep"
    if not isinstance(error, json.JSONDecodeError):
        return "JSON with an excessively long number"
    return "broken JSON" if text.startswith("{") else "a body other than JSON"


def raise_if_error(document: Mapping[str, Any], path: str) -> None:
    """Raise if the response is an error; errcode is absent or 0 on success (wire reference 0.3)."""
    value = document.get("errcode")
    if value is None:
        return
    errcode = as_int(value)
    if errcode is None:
        raise undecodable("an errcode that is not a number", str(value).encode("utf-8", "replace"), path)
    if errcode:
        errmsg = document.get("errmsg")
        raise api_error(errcode, errmsg if isinstance(errmsg, str) else "", path)
