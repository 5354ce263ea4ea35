"""The accounts of a third-party platform, for a session with the token of the platform."""

from collections.abc import AsyncGenerator
from operator import attrgetter
from typing import TYPE_CHECKING

from wxasset.engine.pager import Pager
from wxasset.errors import UsageError
from wxasset.session.base import Session
from wxasset.session.paging import iterate

if TYPE_CHECKING:
    from wxasset.calls.platform import AuthorizerPage, ListedAuthorizer

__all__ = ["Authorizers"]


class Authorizers(Session):
    """The accounts that authorized a third-party platform."""

    def iter_authorizers(
        self,
        component_appid: str | None = None,
        *,
        offset: int = 0,
    ) -> AsyncGenerator["ListedAuthorizer", None]:
        """Iterate over all accounts that authorized the platform, 500 to a request.

        The session uses the token of the platform: ``WxSession(tokens=ComponentToken(...))``, or a `TokenCache` of it.
        Each account comes once, also while others authorize or withdraw.
        https://developers.weixin.qq.com/doc/oplatform/openApi/authorization-management/api_getauthorizerlist

        Args:
            component_appid: The platform's appid; that of the `ComponentToken` by default.
            offset: Number of accounts to skip, such as the number in the error of an iteration that broke off.

        Raises:
            UsageError: The token source does not know the platform's appid.
            WxAssetError: A page could not be listed. The message says how many accounts came before, and with which
                `offset` to continue.
        """
        appid = component_appid or self._component_appid()
        pager: Pager[ListedAuthorizer] = Pager(offset=offset, key=attrgetter("authorizer_appid"))
        return iterate(pager, lambda at: self._list_authorizers(appid, at), "accounts")

    async def _list_authorizers(self, appid: str, offset: int) -> "AuthorizerPage":
        from wxasset.calls.platform import GetAuthorizerList  # noqa: PLC0415 - a tenth of the time to import a session

        return await self._engine.call(GetAuthorizerList(component_appid=appid, offset=offset))

    def _component_appid(self) -> str:
        source = self._engine.tokens.source
        appid = getattr(source, "component_appid", None)
        if getattr(source, "authorizer_appid", None):
            raise UsageError("iter_authorizers takes the token of the platform: WxSession(tokens=ComponentToken(...)).")
        if not isinstance(appid, str) or not appid:
            raise UsageError("component_appid= is missing: open.weixin.qq.com shows it with the platform's settings.")
        return appid
