"""Records of error responses, looked up by request id (wire reference 1.4)."""

import json
import re
from collections import OrderedDict
from collections.abc import Mapping

from attrs import frozen

from wxasset.simulator.state.clock import Clock
from wxasset.simulator.wire.replies import ApiError, Document, encode
from wxasset.simulator.wire.requests import SECRET_PARAMETERS, ApiRequest

_RID = re.compile(r"([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{8}")
_LIFE = 7 * 86_400  # documented (1.4)
_MOST = 10_000  # bounds memory in long runs; the oldest records are dropped
_SHOWN = 6  # characters of a token shown in the official sample: `access_token=50_Im7xxxx`
# Chosen: a rid belongs to another account if its request named one; without this 76003 could not occur.
_FOREIGN = frozenset({40013, 61011})
# The simulator does not measure time, for repeatable runs; this is the number of the official sample.
_COST_IN_MS = 30


@frozen
class _Record:
    document: Document
    owner: str | None


class RequestIdRecords:
    """Error responses by request id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def enter(self, error: ApiError, document: Document, request: ApiRequest, appid: str) -> None:
        """Record an error response to an account under the request id at the end of its message."""
        found = _RID.search(str(document["errmsg"]))
        if found is None:
            return
        shown = {
            "invoke_time": int(found[1], 16),
            "cost_in_ms": _COST_IN_MS,
            "request_url": "&".join(f"{name}={_shortened(name, value)}" for name, value in request.query.items()),
            "request_body": _readable(request),
            "response_body": encode(document).decode("utf-8", "replace"),
            "client_ip": request.remote,
        }
        self._records[found[0]] = _Record(shown, None if error.errcode in _FOREIGN else appid)
        if len(self._records) > _MOST:
            self._records.popitem(last=False)

    def find(self, rid: object, appid: str) -> Document:
        """Return the record of a request id of an account. The order of its checks, age first, is chosen.

        Raises:
            ApiError: 76002 for an invalid id, 76004 for an id of more than 7 days, 76001 for an unknown id, 76003 for
                an id of another account.
        """
        match = _RID.fullmatch(rid) if isinstance(rid, str) else None
        if match is None:
            raise ApiError(76002)
        if self._clock.now() - int(match[1], 16) > _LIFE:
            raise ApiError(76004)
        record = self._records.get(match[0])
        if record is None:
            raise ApiError(76001)
        if record.owner != appid:
            raise ApiError(76003)
        return record.document


def _shortened(name: str, value: object) -> object:
    """Shorten a secret value to its beginning; other values are unchanged."""
    return f"{str(value)[:_SHOWN]}xxxx" if name in SECRET_PARAMETERS else value


def _readable(request: ApiRequest) -> str:
    """Return a JSON body without its secrets, and an empty string for other bodies.

    Chosen: the official sample has an empty body.
    """
    try:
        document: object = json.loads(request.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, Mapping):
        return ""
    shown = {name: _shortened(name, value) for name, value in document.items()}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
