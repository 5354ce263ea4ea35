"""Ledgers of earlier versions keep their rows; the key is the account and its service, not the host."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from pictures import picture
from wxasset import Ledger, WxSession
from wxasset.errors import InvalidMediaError, LedgerError, UsageError
from wxasset.simulator import Simulator
from wxasset.wire.realms import realm_of

VERSION_1: Final = """
CREATE TABLE uploads (
    id INTEGER PRIMARY KEY, appid TEXT NOT NULL, api TEXT NOT NULL, type TEXT NOT NULL, sha256 TEXT NOT NULL,
    described TEXT NOT NULL, state TEXT NOT NULL, filename TEXT NOT NULL, size INTEGER NOT NULL, media_id TEXT,
    url TEXT, reconciled INTEGER NOT NULL DEFAULT 0, begun REAL, ended REAL, error TEXT, holder TEXT,
    UNIQUE (sha256, type, described, appid, api)
);
CREATE INDEX uploads_by_media_id ON uploads (media_id) WHERE media_id IS NOT NULL;
CREATE INDEX uploads_by_holder ON uploads (holder) WHERE holder IS NOT NULL;
CREATE TABLE files (
    path TEXT PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = 2004380772;
PRAGMA user_version = 1;
"""


def old_ledger(path: Path, rows: list[tuple[str, str, str, str | None]]) -> None:
    """Write a file of version 1 with rows of api, sha256, state and media_id."""
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as base:
        base.executescript(VERSION_1)
        base.executemany(
            "INSERT INTO uploads (appid, type, described, filename, size, api, sha256, state, media_id)"
            " VALUES ('wx1', 'image', '', 'a.png', 1, ?, ?, ?, ?)",
            rows,
        )
        base.commit()


async def test_an_earlier_version_keeps_its_rows(tmp_path: Path) -> None:
    """WeChat's hosts become one; of equal uploads to several of them the one that is done stays."""
    path = tmp_path / "old.db"
    old_ledger(
        path,
        [
            ("api.weixin.qq.com", "a", "unknown", None),
            ("api2.weixin.qq.com", "a", "done", "M2"),
            ("sh.api.weixin.qq.com", "a", "failed", None),
            ("api.weixin.qq.com:443", "b", "done", "M3"),
            ("proxy.example:8443/wx", "a", "done", "M4"),
        ],
    )
    for _ in range(2):
        async with Ledger(path) as ledger:
            rows = {(row.realm, row.sha256): (row.state, row.media_id) async for row in ledger.rows()}
        assert rows == {
            ("weixin", "a"): ("done", "M2"),
            ("weixin", "b"): ("done", "M3"),
            ("proxy.example:8443/wx", "a"): ("done", "M4"),
        }


async def test_version_2_gets_the_codes_of_refused_files(tmp_path: Path, sim: Simulator) -> None:
    """Its rows stay, and a refusal is remembered in it."""
    path = tmp_path / "old.db"
    old_ledger(path, [("weixin", "a", "failed", None)])
    with closing(sqlite3.connect(path)) as base:
        base.executescript("ALTER TABLE uploads RENAME COLUMN api TO realm; PRAGMA user_version = 2")
    sim.fail("add_material", "errcode:40137")
    async with Ledger(path) as ledger, WxSession(sim.appid, sim.secret, base_url=sim.url, ledger=ledger) as wx:
        for _ in range(2):
            with pytest.raises(InvalidMediaError):
                await wx.ensure_material("image", picture(1))
        assert [row.errcode async for row in ledger.rows()] == [None, 40137]


async def test_a_later_version_is_refused(tmp_path: Path) -> None:
    """The error says to update; the file stays as it is."""
    path = tmp_path / "new.db"
    old_ledger(path, [("api.weixin.qq.com", "a", "done", "M1")])
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA user_version = 4")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="version 4") as caught:
        async with Ledger(path):
            raise AssertionError
    assert "Update wxasset" in caught.value.hint.english
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("api", "realm"),
    [
        *((f"{host}.weixin.qq.com", "weixin") for host in ("api", "api2", "sh.api", "sz.api", "hk.api")),
        *((api, "weixin") for api in ("api.weixin.qq.com:80", "API.weixin.qq.com:443", "api.weixin.qq.com/")),
        *((api, api) for api in ("127.0.0.1:1234", "api.weixin.qq.com.evil.example", "api.weixin.qq.com/prefix")),
    ],
)
def test_wechats_own_hosts_are_one_service(api: str, realm: str) -> None:
    """The disaster recovery host, those of regions and plain http of cloud hosting have the same accounts."""
    assert realm_of(api) == realm


async def test_another_name_of_a_service_uploads_nothing_again(sim: Simulator, tmp_path: Path) -> None:
    """With `realm` two host names are one service, also for what the ledger has of one; without it they are two."""
    urls = (sim.url, sim.url.replace("127.0.0.1", "localhost"))
    for realm, tried, materials in ((None, urls[:1], 1), ("weixin", urls, 1), (None, urls, 3)):
        async with Ledger(tmp_path / "uploads.db", realm=realm, adopt=False) as ledger:
            for url in tried:
                async with WxSession(sim.appid, sim.secret, base_url=url, ledger=ledger) as wx:
                    await wx.ensure_material("image", picture(1))
        assert len(sim.materials) == materials
    with pytest.raises(UsageError, match="realm="):
        Ledger("uploads.db", realm="")
