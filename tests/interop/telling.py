"""How a peer's program tells what its library answered: one line of JSON for each step."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

__all__ = ["asked"]


def asked(step: str, ask: Callable[[], Any]) -> dict[str, Any]:
    """Take one step and print its outcome; the next one is taken in any case."""
    try:
        answer = shown(ask())
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the outcome
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"step": step, "answer": answer}), flush=True)
    return answer


def shown(answer: Any) -> dict[str, Any]:
    """Turn what a library returned, a dictionary or a response of requests, into what JSON can hold."""
    if isinstance(answer, dict):
        return answer
    if answer.content.lstrip().startswith(b"{"):
        answer.encoding = "utf-8"
        document: dict[str, Any] = answer.json()
        return document
    return {"sha256": hashlib.sha256(answer.content).hexdigest()}
