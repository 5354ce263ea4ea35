"""Responses of a route that serves materials, in the terms of OpenAPI."""

from typing import Any, Final

__all__ = ["OPENAPI"]

_PROBLEM: Final = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in ("error", "hint", "hint_zh")},
            "required": ["error", "hint", "hint_zh"],
        }
    }
}
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_FILE: Final = {"image/*": _BYTES, "audio/*": _BYTES, "video/*": _BYTES, "application/octet-stream": _BYTES}
_ARTICLES: Final = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {
                "type": {"const": "news"},
                "articles": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["type", "articles"],
        }
    }
}

OPENAPI: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The material; articles as JSON", "content": {**_FILE, **_ARTICLES}},
    206: {"description": "A part of the material", "content": _FILE},
    304: {"description": "The client has it"},
    404: {"description": "There is no such material", "content": _PROBLEM},
    416: {"description": "The material has no such part"},
    429: {"description": "Too many requests to WeChat", "content": _PROBLEM},
    502: {"description": "WeChat cannot be reached, or refused this server", "content": _PROBLEM},
    503: {"description": "WeChat is busy", "content": _PROBLEM},
    504: {"description": "WeChat did not answer in time", "content": _PROBLEM},
}
