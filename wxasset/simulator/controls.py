"""Controls for tests: push tickets and tokens, and act as users and consoles."""

import asyncio
import os
from pathlib import Path

from wxasset.simulator.state.account import Account, TemporaryMedia


class Controls:
    """The side of the simulator that no request can see."""

    @property
    def _account(self) -> Account:
        raise NotImplementedError

    @property
    def component_appid(self) -> str:
        """The appid of the third-party platform that the account has authorized."""
        return self._account.platform.appid

    @property
    def component_appsecret(self) -> str:
        """The secret that goes with it."""
        return self._account.platform.secret

    @property
    def authorizer_refresh_token(self) -> str:
        """The newest refresh token of the authorization."""
        return self._account.platform.refresh_token

    def push_verify_ticket(self) -> str:
        """Return a new `component_verify_ticket`, as WeChat pushes one every 10 minutes; it lives for 12 hours."""
        return self._account.platform.push_ticket()

    def authorize_platform(self) -> str:
        """Let the account authorize the platform anew; returns the refresh token, and ends those before."""
        return self._account.platform.authorize()

    def push_cloudbase_token(self) -> str:
        """Return a new token of cloud hosting, as it pushes one every 10 minutes; it lives for 30.

        It rides in `cloudbase_access_token`, and comes in the header `X-WX-CLOUDBASE-ACCESS-TOKEN` as well.
        """
        return self._account.tokens.cloudbase().value

    async def mount_cloudbase_token(self, path: str | os.PathLike[str]) -> str:
        """Push a token into a file, which is replaced at once, and return it.

        Raises:
            OSError: The file cannot be written.
        """
        token = self.push_cloudbase_token()
        await asyncio.to_thread(_replace, Path(path), token)
        return token

    @property
    def materials_in_use(self) -> dict[str, int]:
        """Code by media_id with which del_material refuses: 48005 or 45060; tests may change it (2.3)."""
        return self._account.materials_in_use

    def add_jssdk_voice(self, content: bytes) -> str:
        """Put a voice that a web page has recorded among the temporary media and return its id (2.9)."""
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
