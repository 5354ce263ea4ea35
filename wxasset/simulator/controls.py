"""Controls for tests, one set for each account: its library and options, and acts of users and consoles."""

import asyncio
import os
import threading
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Literal

from wxasset.simulator.options import SimulatorOptions, Switches
from wxasset.simulator.state.account import Account, Article, Material, TemporaryMedia
from wxasset.simulator.state.additions import stage_material, stage_media
from wxasset.simulator.state.drafts import Draft, Publication


class AccountControls:
    """Controls of one account without an HTTP endpoint of WeChat."""

    @property
    def _account(self) -> Account:
        raise NotImplementedError

    @property
    def _lock(self) -> threading.RLock:
        raise NotImplementedError

    def _set_options(self, options: SimulatorOptions) -> None:
        self._account.switches = Switches(options)

    @property
    def appid(self) -> str:
        """The appid of the account."""
        return self._account.appid

    @property
    def secret(self) -> str:
        """The secret of the account."""
        return self._account.secret

    @property
    def options(self) -> SimulatorOptions:
        """The switches in force; can be replaced at any time. Without own ones an account has the simulator's."""
        return self._account.options

    @options.setter
    def options(self, options: SimulatorOptions) -> None:
        self._set_options(options)

    @property
    def materials(self) -> MutableMapping[str, Material]:
        """The library by media_id, oldest first; tests may change it."""
        return self._account.materials

    @property
    def temporary_media(self) -> MutableMapping[str, TemporaryMedia]:
        """Temporary media by media_id, including expired ones."""
        return self._account.temporary_media

    @property
    def cloud_files(self) -> MutableMapping[str, bytes]:
        """Files in cloud storage by file id; tests may change them. Access to a large file reads all of it."""
        return self._account.cloud_files

    @property
    def article_images(self) -> MutableMapping[str, bytes]:
        """Images uploaded with uploadimg, by URL."""
        return self._account.article_images

    @property
    def drafts(self) -> MutableMapping[str, Draft]:
        """The draft box by media_id, oldest first; a draft leaves it when it is published. Tests may change it."""
        with self._lock:
            self._account.drafts.settle(self._account.clock.now())
        return self._account.drafts.drafts

    @property
    def publications(self) -> MutableMapping[str, Publication]:
        """The jobs of freepublish/submit by publish_id, oldest first, including failed ones."""
        return self._account.drafts.publications

    def add_article(self, *, title: str, author: str = "", digest: str = "", content: str = "", url: str = "") -> str:
        """Add a news material with one article to the library and return its media_id."""
        return self.add_news(Article(title=title, author=author, digest=digest, content=content, url=url))

    def add_news(self, *articles: Article) -> str:
        """Add a news material with these articles to the library and return its media_id."""
        with self._lock:
            return self._account.add_news(articles)

    def add_material(
        self,
        type: Literal["image", "voice", "video", "thumb"],  # noqa: A002  # the name of WeChat
        content: bytes,
        *,
        filename: str,
        title: str = "",
        introduction: str = "",
    ) -> str:
        """Add a permanent material to the library without checks of its bytes, and return its media_id."""
        with self._lock:
            return stage_material(self._account, type, content, filename, (title, introduction))

    def add_temporary_media(
        self,
        type: Literal["image", "voice", "video", "thumb"],  # noqa: A002  # the name of WeChat
        content: bytes,
        *,
        filename: str,
    ) -> str:
        """Add a temporary medium without checks of its bytes, and return its media_id."""
        with self._lock:
            return stage_media(self._account, type, content, filename)

    def add_cloud_file(self, env: str, path: str, content: bytes) -> str:
        """Add a file to cloud storage and return its file id, `cloud://ENV.7465-ENV-1258717764/path`."""
        with self._lock:
            return self._account.add_cloud_file(env, path, content)

    def push_cloudbase_token(self) -> str:
        """Return a new token of cloud hosting, valid for 30 minutes; hosting pushes one every 10 minutes.

        It is sent as `cloudbase_access_token`, and also received in the header `X-WX-CLOUDBASE-ACCESS-TOKEN`.
        """
        with self._lock:
            return self._account.tokens.cloudbase().value

    def deploy_hosting(self) -> None:
        """Deploy a new version in cloud hosting: `hosting_ready_after` counts from now on."""
        self._account.deployed_at = self._account.clock.now()

    async def mount_cloudbase_token(self, path: str | os.PathLike[str], *, pushed: bool = True) -> str:
        """Write a new token to a file, replaced atomically, and return it.

        Args:
            path: The file.
            pushed: False writes the placeholder of a new container, which it has until the first push (8.5).

        Raises:
            OSError: The file cannot be written.
        """
        token = self.push_cloudbase_token() if pushed else "default-tcb-wx-access-token"
        await asyncio.to_thread(_replace, Path(path), token)
        return token

    @property
    def materials_in_use(self) -> MutableMapping[str, int]:
        """Error code of del_material by media_id: 48005 or 45060; tests may change it (2.3)."""
        return self._account.materials_in_use

    def add_jssdk_voice(self, content: bytes) -> str:
        """Add a voice recorded by a web page to the temporary media and return its id (2.9)."""
        with self._lock:
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


class SimulatedAccount(AccountControls):
    """One account of a simulator; valid for the lifetime of the simulator, also after a reset."""

    def __init__(self, find: Callable[[], Account], lock: threading.RLock) -> None:
        self._find = find
        self._shared_lock = lock

    def __repr__(self) -> str:
        return f"SimulatedAccount(appid={self.appid!r})"

    def revoke_tokens(self) -> None:
        """Reject every token of this account issued so far with 40001; other accounts keep theirs."""
        with self._lock:
            self._account.tokens.registry.reject_all(40001, self.appid)

    def expire_tokens(self) -> None:
        """Reject every token of this account issued so far with 42001; other accounts keep theirs."""
        with self._lock:
            self._account.tokens.registry.reject_all(42001, self.appid)

    @property
    def _account(self) -> Account:
        return self._find()

    @property
    def _lock(self) -> threading.RLock:
        return self._shared_lock


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, "utf-8")
    new.replace(path)
