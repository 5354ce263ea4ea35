"""Where the command line has its credentials from, and what it says when they are not there."""

import os
import sys
from pathlib import Path

import pytest

from wxasset import FileTokenStore, RedisTokenStore
from wxasset.cli.runtime.credentials import (
    SERVICE,
    Credentials,
    credentials_path,
    find_credentials,
    open_session,
    open_store,
)
from wxasset.cli.runtime.exit_codes import Exit, exit_of
from wxasset.cli.runtime.prompts import HOW
from wxasset.errors import TokenUnavailableError, UsageError

SECRET = "0123456789abcdef-secret"
TWO = f"""
[shop]
appid = "wx1"
secret = "{SECRET}"
[club]
appid = "wx2"
secret = "{SECRET}"
base_url = "http://127.0.0.1:1"
token_store = "redis://:{SECRET}@127.0.0.1/0"
"""
ONE = TWO.partition("[club]")[0]


def written(tmp_path: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    """Write a credentials file, and give the environment that leads to it."""
    path = tmp_path / "credentials.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return {"WXASSET_CREDENTIALS": str(path)}


def test_the_environment_comes_first(tmp_path: Path) -> None:
    """Appid and secret of the environment are used, with its address and its token store, whatever file there is."""
    environ = written(tmp_path, ONE) | {
        "WXASSET_APPID": "wx9",
        "WXASSET_SECRET": SECRET,
        "WXASSET_BASE_URL": "http://127.0.0.1:9",
        "WXASSET_TOKEN_STORE": "/tmp/t.json",  # noqa: S108 - never opened
    }
    found = find_credentials(environ)
    assert (found.appid, found.secret, found.base_url) == ("wx9", SECRET, "http://127.0.0.1:9")
    assert (found.token_store, found.origin, found.name) == ("/tmp/t.json", "the environment", None)  # noqa: S108
    assert find_credentials({"WXASSET_APPID": "a", "WXASSET_SECRET": "b"}).base_url == SERVICE


@pytest.mark.parametrize("name", ["WXASSET_APPID", "WXASSET_SECRET"])
def test_half_an_account_is_none(tmp_path: Path, name: str) -> None:
    """With one variable of the two nothing starts, and no file is used in their place."""
    with pytest.raises(TokenUnavailableError, match="missing: WXASSET_") as caught:
        find_credentials(written(tmp_path, ONE) | {name: SECRET})
    assert SECRET not in str(caught.value)
    assert (exit_of(caught.value), caught.value.hint) == (Exit.DENIED, HOW)


def test_an_account_that_is_named_is_taken_from_the_file_as_a_whole(tmp_path: Path) -> None:
    """Neither an appid nor an address of the environment goes together with a secret of the file."""
    environ = written(tmp_path, TWO) | {"WXASSET_APPID": "wx9", "WXASSET_BASE_URL": "http://elsewhere.example"}
    found = find_credentials(environ | {"WXASSET_SECRET": "x"}, "shop")
    assert (found.appid, found.secret, found.base_url, found.token_store) == ("wx1", SECRET, SERVICE, None)
    assert found.name == "shop"
    assert "[shop]" in found.origin


@pytest.mark.parametrize(
    ("text", "appid"), [(ONE, "wx1"), (f'default = "club"\n{TWO}', "wx2"), (f'default = "shop"\n{TWO}', "wx1")]
)
def test_one_account_needs_no_name(tmp_path: Path, text: str, appid: str) -> None:
    """Without a name, the only account is meant, or the one that the file calls its default."""
    assert find_credentials(written(tmp_path, text)).appid == appid


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (TWO, None, "shop, club.*pass --account"),
        (TWO, "pub", "no account pub.*shop, club"),
        (f'default = "pub"\n{TWO}', None, "no account pub"),
        ("", None, "its accounts .none."),
        (ONE.replace("wx1", "wx1").replace("[shop]", '[shop]\nbase_url = "nowhere"'), None, "is not a URL"),
    ],
)
def test_an_account_that_is_not_there(tmp_path: Path, text: str, name: str | None, words: str) -> None:
    """The error says which accounts there are."""
    with pytest.raises(UsageError, match=words):
        find_credentials(written(tmp_path, text), name)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """The file is not used when group or others may read or write it; the hint has the command that cures it."""
    with pytest.raises(TokenUnavailableError, match=f"mode {mode:04o}") as caught:
        find_credentials(written(tmp_path, ONE, mode))
    assert "chmod 600" in caught.value.hint.english
    assert "chmod 600" in caught.value.hint.chinese


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such owners")
def test_a_file_of_another_user_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user would choose the account and the host: the owner is told, and what to do."""
    environ = written(tmp_path, ONE)
    if os.geteuid() == 0:
        os.chown(environ["WXASSET_CREDENTIALS"], 12345, 12345)
    else:
        uid = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(TokenUnavailableError, match="belongs to user") as caught:
        find_credentials(environ)
    assert "chown" in caught.value.hint.english
    assert "chown" in caught.value.hint.chinese


def test_a_link_is_not_followed_to_credentials(tmp_path: Path) -> None:
    """A symbolic link is refused, also one to a file of this user, or to none."""
    target, link = written(tmp_path, ONE)["WXASSET_CREDENTIALS"], tmp_path / "link.toml"
    for end in (target, tmp_path / "nowhere"):
        link.symlink_to(end)
        with pytest.raises(TokenUnavailableError, match="is a symbolic link") as caught:
            find_credentials({"WXASSET_CREDENTIALS": str(link)})
        assert str(link) in caught.value.hint.english
        assert str(link) in caught.value.hint.chinese
        link.unlink()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"[shop]\nsecret = {SECRET}", "is not valid TOML: see at line 2"),
        ("\ufffe", "is not valid TOML"),
        ('[shop]\nappid = "wx1"', r"\[shop\] has no secret"),
        (f'[shop]\nsecret = "{SECRET}"', r"\[shop\] has no appid"),
        (f'{ONE}\npassword = "{SECRET}"', r"\[shop\] has the unknown key password"),
        (f"{ONE}\nbase_url = 5", r"\[shop\] has a value of base_url that is not a string"),
        (f'appid = "wx1"\nsecret = "{SECRET}"', "appid is not a table"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    """The error says what is wrong with the file, and never what stands there."""
    with pytest.raises(TokenUnavailableError, match=words) as caught:
        find_credentials(written(tmp_path, text))
    assert SECRET not in str(caught.value)


def test_a_file_that_is_no_file(tmp_path: Path) -> None:
    """A file that is not there, and a directory in its place, are told with what to do."""
    with pytest.raises(TokenUnavailableError, match="does not exist") as caught:
        find_credentials({"WXASSET_CREDENTIALS": str(tmp_path / "none.toml")})
    assert "WXASSET_APPID" in caught.value.hint.english
    assert "WXASSET_APPID" in caught.value.hint.chinese
    with pytest.raises(TokenUnavailableError, match=r"cannot be read|not a regular file"):
        find_credentials({"WXASSET_CREDENTIALS": str(tmp_path)})


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is where WXASSET_CREDENTIALS says, or in the user's directory for configuration."""
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("USERPROFILE", "/home/u")
    assert credentials_path({"WXASSET_CREDENTIALS": "~/c.toml"}) == Path("/home/u/c.toml")
    assert credentials_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/wxasset/credentials.toml")
    assert credentials_path({}) == Path("/home/u/.config/wxasset/credentials.toml")


async def test_a_token_store_is_a_file_or_redis(tmp_path: Path) -> None:
    """An address of Redis, a path, or nothing; any other address is refused without repeating it."""

    def account(store: str | None) -> Credentials:
        return Credentials(appid="wx1", secret=SECRET, token_store=store, origin="here")

    assert open_store(account(None)) is None
    redis = open_store(account(f"redis://:{SECRET}@127.0.0.1/0"))
    assert isinstance(redis, RedisTokenStore)
    await redis.aclose()
    assert isinstance(open_store(account(str(tmp_path / "t.json"))), FileTokenStore)
    with pytest.raises(UsageError) as caught:
        open_store(account(f"ftp://:{SECRET}@host"))
    assert SECRET not in str(caught.value)


async def test_no_secret_is_shown() -> None:
    """Neither the credentials nor the session that they open show a secret."""
    account = Credentials(
        appid="wx1", secret=SECRET, token_store=f"redis://:{SECRET}@h/0", base_url=f"http://u:{SECRET}@h", origin="x"
    )
    assert SECRET not in repr(account)
    assert account.host == "h"
    async with open_session(Credentials(appid="wx1", secret=SECRET, origin="x")) as wx:
        assert SECRET not in repr(wx)
