"""Entries of the journal of requests, and conditions for them."""

from typing import TypedDict

from attrs import field, frozen

__all__ = ["JournalConditions", "JournalEntry", "JournalFilter"]


@frozen(kw_only=True)
class JournalEntry:
    """One request and its response; secrets are replaced by `***`.

    Attributes:
        number: Position among all requests since the start or the last reset, from 0; also of requests not kept.
        method: The HTTP method.
        path: The path without the query.
        query: The query; of a repeated parameter the first value.
        headers: The request headers as sent; of a repeated header the first value.
        body: The first bytes of the body, as many as `journal_body_cap` of the options.
        body_size: Number of body bytes read: 0 if the body was rejected unread or was incomplete.
        account: The appid of the account or platform named by the token or the appid of the request; None without one.
        status: The HTTP status of the response, or None if the request ended before a response.
        errcode: The code in a JSON response, 0 for success; None if the response was not JSON.
        token: The number of the request's token in the order of issue; None without a token or for an unknown one.
        received_at: Time of the request, in unix seconds of the simulator's clock.
        at: Time of the response, of the same clock.
        fault: The words of the injected fault, or None.
        committed: The request was carried out successfully, independent of the response received by the client.
        created: The created media_id, file id or URL, or None.
        sent: Number of response body bytes written to the connection: less than all if the client disconnected
            early, or if limited by a fault.
    """

    number: int = 0
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(default=b"", repr=False)
    body_size: int
    account: str | None = None
    status: int | None
    errcode: int | None
    token: int | None
    received_at: float = 0.0
    at: float
    fault: str | None = None
    committed: bool = False
    created: str | None = None
    sent: int = 0


def _upper(name: str | None) -> str | None:
    return name and name.upper()


@frozen(kw_only=True)
class JournalFilter:
    """Conditions for entries; None permits every value.

    Attributes:
        since: The least number of an entry.
        method: The HTTP method, in any case.
        path: The whole path, or its last part, for example "add_material".
        status: The HTTP status.
        errcode: The code in a JSON response, 0 for success.
        account: The appid of the account or platform.
    """

    since: int = 0
    method: str | None = field(default=None, converter=_upper)
    path: str | None = None
    status: int | None = None
    errcode: int | None = None
    account: str | None = None

    def matches(self, entry: JournalEntry) -> bool:
        """Return True for an entry that meets all conditions."""
        return (
            entry.number >= self.since
            and self.method in (None, entry.method)
            and self.path in (None, entry.path, entry.path.rpartition("/")[2])
            and self.status in (None, entry.status)
            and self.errcode in (None, entry.errcode)
            and self.account in (None, entry.account)
        )


class JournalConditions(TypedDict, total=False):
    """Conditions for entries, as described by `JournalFilter`."""

    since: int
    method: str | None
    path: str | None
    status: int | None
    errcode: int | None
    account: str | None
