"""Controls for tests: push tickets and tokens, and act as users and consoles."""

import asyncio
import os
from pathlib import Path

from wxasset.simulator.state.account import Account, TemporaryMedia


class Controls:
    """Controls of the simulator without an HTTP endpoint of WeChat."""

    @property
    def _account(self) -> Account:
        raise NotImplementedError

    @property
    def component_appid(self) -> str:
        """The appid of the third-party platform authorized by the account."""
        return self._account.platform.appid

    @property
    def component_appsecret(self) -> str:
        """The secret of the third-party platform."""
        return self._account.platform.secret

    @property
    def authorizer_refresh_token(self) -> str:
        """The newest refresh token of the authorization."""
        return self._account.platform.refresh_token

    def push_verify_ticket(self) -> str:
        """Return a new `component_verify_ticket`, valid for 12 hours; WeChat pushes one every 10 minutes."""
        return self._account.platform.push_ticket()

    def authorize_platform(self) -> str:
        """Authorize the platform again: revoke earlier refresh tokens and return a new one."""
        return self._account.platform.authorize()

    def push_cloudbase_token(self) -> str:
        """Return a new token of cloud hosting, valid for 30 minutes; hosting pushes one every 10 minutes.

        It is sent as `cloudbase_access_token`, and also received in the header `X-WX-CLOUDBASE-ACCESS-TOKEN`.
        """
        return self._account.tokens.cloudbase().value

    async def mount_cloudbase_token(self, path: str | os.PathLike[str]) -> str:
        """Write a new token to a file, replaced atomically, and return it.

        Raises:
            OSError: The file cannot be written.
        """
        token = self.push_cloudbase_token()
        await asyncio.to_thread(_replace, Path(path), token)
        return token

    @property
    def materials_in_use(self) -> dict[str, int]:
        """Error code of del_material by media_id: 48005 or 45060; tests may change it (2.3)."""
        return self._account.materials_in_use

    def add_jssdk_voice(self, content: bytes) -> str:
        """Add a voice recorded by a web page to the temporary media and return its id (2.9)."""
        account = self._account
        media_id = account.identifiers.temporary_media_id()
        account.temporary_media[media_id] = TemporaryMedia(
            media_id=media_id,
            type="voice",
            filename="",
            content=content,
            content_type="voice/speex",
            extension="speex",
            created_at=int(account.clock.now()),
        )
        return media_id


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, "utf-8")
    new.replace(path)
