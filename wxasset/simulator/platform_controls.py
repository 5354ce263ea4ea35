"""Controls of the third-party platform: tickets, and the authorizations by accounts."""

import threading
from collections.abc import Collection

import aiohttp
from yarl import URL

from wxasset.simulator.state.platform import Authorization
from wxasset.simulator.state.pushes import Push, PushResponse, Receiver
from wxasset.simulator.state.service import Service

_PATIENCE = aiohttp.ClientTimeout(total=5)  # chosen


class PlatformControls:
    """The third-party platform of a simulator, as `simulator.platform`.

    The first account has authorized it from the start.
    """

    def __init__(self, service: Service, lock: threading.RLock) -> None:
        self._service = service
        self._lock = lock

    @property
    def appid(self) -> str:
        """The appid of the platform."""
        return self._service.platform.appid

    @property
    def secret(self) -> str:
        """The secret of the platform."""
        return self._service.platform.secret

    @property
    def authorizations(self) -> dict[str, Authorization]:
        """The authorizations in force by appid, oldest first."""
        with self._lock:
            return dict(self._service.platform.authorizations)

    def refresh_token(self, appid: str) -> str:
        """Return the newest refresh token of an account.

        Raises:
            ValueError: The account has not authorized the platform.
        """
        return self._authorization(appid).refresh_token

    def push_ticket(self) -> str:
        """Return a new `component_verify_ticket`, valid for 12 hours; WeChat pushes one every 10 minutes."""
        with self._lock:
            return self._service.platform.push_ticket()

    def authorize(
        self, appid: str, *, permission_sets: Collection[int] | None = None, pre_auth_code: str | None = None
    ) -> str:
        """Let an account authorize the platform, and return the one-time authorization code for api_query_auth.

        A repeated authorization ends the refresh token and the access tokens of the earlier one.

        Args:
            appid: The account.
            permission_sets: Numbers of the granted permission sets; None follows the option `permission_sets`.
            pre_auth_code: The pre-authorization code in the URL of the authorization page; None draws one.

        Raises:
            ValueError: The simulator has no such account, or the pre-authorization code is unknown or has expired.
        """
        with self._lock:
            if appid not in self._service.accounts:
                raise ValueError(f"unknown account {appid!r}; add it with add_account(appid=...) first")
            return self._service.platform.authorize(appid, permission_sets, pre_auth_code)

    def unauthorize(self, appid: str) -> None:
        """Let an account withdraw its authorization; its tokens and its refresh token end.

        Raises:
            ValueError: The account has not authorized the platform.
        """
        with self._lock:
            self._authorization(appid)
            self._service.platform.unauthorize(appid)

    def set_receiver(self, url: str | None, *, token: str, aes_key: str) -> None:
        """Set the receiver of pushes, as on WeChat's console; later events are kept until `deliver` or `take_pushes`.

        Args:
            url: The URL for pushes; None if the test passes them on itself.
            token: The token for signatures.
            aes_key: The EncodingAESKey of 43 characters.

        Raises:
            ValueError: The key has another form.
        """
        with self._lock:
            self._service.platform.outbox.receiver = Receiver(url=url, token=token, aes_key=aes_key)

    def take_pushes(self) -> list[Push]:
        """Return and remove the pushes not yet delivered, oldest first.

        Raises:
            ImportError: The extra `platform` is not installed.
        """
        with self._lock:
            return self._service.platform.take_pushes()

    async def deliver(self) -> list[PushResponse]:
        """Post the pushes not yet delivered to the receiver in order, and return its responses.

        WeChat pushes by itself; the simulator waits for this call, so that a test knows the moment. A push without the
        response `success` is not repeated.

        Raises:
            ImportError: The extra `platform` is not installed.
            ValueError: No receiver with a URL is set.
        """
        receiver = self._service.platform.outbox.receiver
        if receiver is None or receiver.url is None:
            raise ValueError("the platform has no URL for pushes; call set_receiver(url, token=..., aes_key=...) first")
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
            return [await _post(session, URL(receiver.url), push) for push in self.take_pushes()]

    def _authorization(self, appid: str) -> Authorization:
        found = self._service.platform.authorizations.get(appid)
        if found is None:
            raise ValueError(f"account {appid!r} has not authorized the platform; call authorize({appid!r}) first")
        return found


class PlatformShortcuts:
    """The platform's controls under their earlier names, for the first account."""

    platform: PlatformControls

    @property
    def appid(self) -> str:
        """The appid of the first account."""
        raise NotImplementedError

    @property
    def component_appid(self) -> str:
        """The appid of the third-party platform; the same as `platform.appid`."""
        return self.platform.appid

    @property
    def component_appsecret(self) -> str:
        """The secret of the third-party platform; the same as `platform.secret`."""
        return self.platform.secret

    @property
    def authorizer_refresh_token(self) -> str:
        """The newest refresh token of the first account."""
        return self.platform.refresh_token(self.appid)

    def push_verify_ticket(self) -> str:
        """Return a new `component_verify_ticket`; the same as `platform.push_ticket()`."""
        return self.platform.push_ticket()

    def authorize_platform(self) -> str:
        """Let the first account authorize the platform again and return the new refresh token."""
        self.platform.authorize(self.appid)
        return self.authorizer_refresh_token


async def _post(session: aiohttp.ClientSession, url: URL, push: Push) -> PushResponse:
    headers = {"Content-Type": "text/xml"}
    try:
        async with session.post(url.update_query(push.query), data=push.body, headers=headers) as response:
            return PushResponse(push=push, status=response.status, body=await response.text(errors="replace"))
    except (aiohttp.ClientError, TimeoutError) as error:
        return PushResponse(push=push, status=None, body=f"{type(error).__name__}: {error}")
