"""Processing of one request: reading, faults, response, journal, delivery."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from attrs import define, evolve

from wxasset.simulator.endpoints import object_storage
from wxasset.simulator.endpoints.table import answer, extra_headers, is_token_endpoint
from wxasset.simulator.faults.bodies import error_body, headers_of, instead_of_commit, page, replace_body
from wxasset.simulator.faults.delivery import PIECE, deliver, http_date, is_plain, pieces
from wxasset.simulator.faults.language import NO_FAULT, Fault
from wxasset.simulator.faults.words import Break, BreakUpload, ErrorCode, Hide, ReturnEarly, Stall, Tokens
from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.senders import is_secure
from wxasset.simulator.shared_state import SharedState
from wxasset.simulator.state.journal_entry import JournalEntry
from wxasset.simulator.wire.recorded_body import recorded
from wxasset.simulator.wire.replies import ApiError, Document, RawReply, with_headers
from wxasset.simulator.wire.requests import ApiRequest, hide_secret_headers, hide_secrets, with_form_token

__all__ = ["BODY_CAP", "Exchange"]

BODY_CAP = 32 * 1024 * 1024  # three times the largest upload the service takes
_LARGE = 256 * 1024  # bytes of a response body; larger ones are sent in pieces with flow control
_FAILED = 400


@define(eq=False)
class Exchange:
    """One request and its result."""

    shared: SharedState
    http: web.Request
    fault: Fault = NO_FAULT
    body_size: int = 0
    status: int | None = None
    errcode: int | None = None
    committed: bool = False
    created: str | None = None
    sent: int = 0
    body: bytes = b""
    received_at: float = 0.0
    _entry: JournalEntry | None = None

    async def serve(self) -> web.StreamResponse:
        """Read the request, respond, and record it in the journal in every case."""
        self.received_at = self.shared.account.clock.now()
        try:
            reply = await self.shared.persisted(await self._reply())
            self._record()
            reply = evolve(reply, headers={"Date": http_date(self.shared.account.clock.now()), **reply.headers})
            await self._stall(before_commit=False)
            if is_plain(self.fault):
                return await self._deliver(reply)
            await deliver(self.http, self.fault, reply, self.shared.pause, self._count)
        except ConnectionError:
            if self.http.transport is not None:
                self.http.transport.abort()
        finally:
            self._enter(evolve(self._entry or self._record(), sent=self.sent))
        return _http_response(RawReply(close=True))  # the connection is closed already

    async def _deliver(self, reply: RawReply) -> web.StreamResponse:
        """Send a response normally; a large one with flow control, to count the bytes sent."""
        response, body = _http_response(reply), b"" if self.http.method == "HEAD" else reply.body
        if len(reply.body) <= _LARGE:
            self._count(len(body))
            return response
        large = web.StreamResponse(status=reply.status, headers=response.headers)
        large.content_length = len(reply.body)
        await large.prepare(self.http)
        for piece in pieces(body, PIECE):
            await large.write(piece)
            self._count(len(piece))
        await large.write_eof()
        return large

    def _count(self, size: int) -> None:
        self.sent += size

    async def _reply(self) -> RawReply:
        stored = object_storage.owns(self.http.path)
        refused = None if stored else _transport_error(self.http, self.shared.account.options)
        if refused is not None:
            self.status = refused.status
            return refused
        self.fault = self.shared.schedule.take(self.http.path)
        early = self.fault.find(BreakUpload) or self.fault.find(ReturnEarly)
        if early is not None:
            await self._read_part(early.after)
            reply = page(early.status) if isinstance(early, ReturnEarly) else RawReply()
        elif stored:
            await self._stall(before_commit=True)
            reply = await self._store()
        else:
            # A body shorter than announced blocks here: no response, as from the service (4.1).
            body = await self.http.read()
            self.body_size = len(body)
            self.body = recorded(body, self.shared.account.options.journal_body_cap)
            await self._stall(before_commit=True)
            reply = await self._answer(_api_request(self.http, body, self.shared.account.options))
        ending = self.fault.find(Break) or self.fault.find(BreakUpload)
        self.status = None if ending else reply.status
        self.errcode = None if ending else self.errcode
        return with_headers(reply, headers_of(self.fault))

    async def _read_part(self, size: int) -> None:
        """Read `size` bytes of the body, or all of a shorter one."""
        while self.body_size < size:
            piece = await self.http.content.read(min(PIECE, size - self.body_size))
            if not piece:
                return
            self.body_size += len(piece)

    async def _stall(self, *, before_commit: bool) -> None:
        word = self.fault.find(Stall)
        if word is not None and word.before_commit is before_commit:
            self._record()
            await self.shared.pause(word.milliseconds / 1000)

    async def _answer(self, request: ApiRequest) -> RawReply:
        """Return the response to a complete request, by its fault or by the service."""
        account = self.shared.service.account_of(request.query)
        self.shared.token_calls += is_token_endpoint(request.path)
        rejected = self.fault.find(Tokens)
        if rejected is not None and rejected.verdict != "malformed":
            account.tokens.registry.reject_all(rejected.errcode)
        instead = instead_of_commit(self.fault, account.links.origin)
        if isinstance(instead, RawReply):
            return instead
        if instead is not None:
            return self._document(error_body(account, instead, request), instead)
        broken = self.fault.find(Break)
        if broken is not None and not broken.committed:
            return RawReply()
        document, reply = self._commit(request)
        refused = self.fault.find(ErrorCode)
        if refused is not None:
            return self._document(error_body(account, refused.errcode, request), refused.errcode)
        replaced = await replace_body(self.fault, document, self.shared.writer.document)
        if replaced is not None:
            self.errcode = None
        return with_headers(replaced or reply, extra_headers(account, request))

    async def _store(self) -> RawReply:
        """Return the response to a file upload to cloud storage, read as it arrives."""
        account, broken = self.shared.account, self.fault.find(Break)
        instead = instead_of_commit(self.fault, account.links.origin)
        if isinstance(instead, RawReply):
            return instead
        if broken is not None and not broken.committed:
            return RawReply()
        reply, self.body_size, self.created = await object_storage.receive(account, self.http)
        self.committed = reply.status < _FAILED
        return await replace_body(self.fault, None, self.shared.writer.document) or reply

    def _commit(self, request: ApiRequest) -> tuple[Document | None, RawReply]:
        """Carry out the request and record the item it created."""
        with self.shared.lock:
            account = self.shared.service.account_of(request.query)
            stores: tuple[Any, ...] = (
                account.materials,
                account.temporary_media,
                account.cloud_files,
                account.article_images,
                account.drafts.drafts,
            )
            sizes = [len(store) for store in stores]
            try:
                answered = answer(account, request)
            except ApiError as error:
                document = account.refuse(error, request)
                return document, self._document(document, error.errcode)
            for store, size in zip(stores, sizes, strict=True):
                if len(store) > size:
                    self.created = store.newest_key
            hide = self.fault.find(Hide)
            if hide is not None and self.created is not None:
                account.hidden_until[self.created] = account.clock.now() + hide.milliseconds / 1000
        if isinstance(answered, RawReply):
            self.committed = answered.status < _FAILED
            return None, answered
        self.committed = True
        return answered, self._document(answered, 0)

    def _document(self, document: Document, errcode: int) -> RawReply:
        self.errcode = errcode
        return self.shared.writer.document(document)

    def _record(self) -> JournalEntry:
        """Add the request to the journal, or update its entry."""
        http, account = self.http, self.shared.account
        query = _first_values(http.query)
        entry = JournalEntry(
            method=http.method,
            path=http.path,
            query=hide_secrets(query),
            headers=hide_secret_headers(_first_values(http.headers)),
            body=self.body,
            body_size=self.body_size,
            account=self.shared.service.appid_of(query, self.body),
            status=self.status,
            errcode=self.errcode,
            token=account.token_number(query),
            received_at=self.received_at,
            at=account.clock.now(),
            fault=str(self.fault) or None,
            committed=self.committed,
            created=self.created,
        )
        self._enter(entry)
        return self._entry or entry

    def _enter(self, entry: JournalEntry) -> None:
        earlier = self._entry
        if earlier is not None:
            entry = evolve(entry, number=earlier.number)
        self._entry = self.shared.journal.enter(entry, earlier)


def _api_request(http: web.Request, body: bytes, options: SimulatorOptions) -> ApiRequest:
    query = _first_values(http.query)
    if options.token_in_form:
        query = with_form_token(query, http.headers.get("Content-Type"), body)
    return ApiRequest(http.method, http.path, query, http.headers, body, http.remote or "", is_secure(http))


def _transport_error(http: web.Request, options: SimulatorOptions) -> RawReply | None:
    """Return 412 for a body without a length (wire reference 4.1), 413 above 32 MiB; both with an empty body."""
    chunked = "chunked" in http.headers.get("Transfer-Encoding", "").lower()
    if chunked and (options.refuse_chunked_json or http.content_type.startswith("multipart/")):
        return RawReply(status=412, close=True)
    if (http.content_length or 0) > BODY_CAP:
        return RawReply(status=413, close=True)
    return None


def _http_response(reply: RawReply) -> web.Response:
    body = bytes(reply.body) if len(reply.body) <= _LARGE else b""  # large bodies are sent in pieces
    response = web.Response(status=reply.status, headers=reply.headers, body=body)
    if reply.close:
        response.force_close()
    return response


def _first_values(pairs: Mapping[str, str]) -> dict[str, str]:
    """Convert a multidict to a dict; of a repeated name the first value is kept."""
    return {name: pairs[name] for name in pairs}
