"""Where a request says whose it is, and what the keys' table makes of it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from ingest.adapters.credentials import standard_key
from ingest.keys import WriteKeys
from ingest.reload import SitesReloader
from schemas.settings import Settings, SettingsError, SiteSettings


def keys(**sites: set[str]) -> WriteKeys:
    """A table of these sites and their keys."""
    return WriteKeys(
        [SiteSettings(name=name, write_keys=tuple(map(SecretStr, secrets))) for name, secrets in sites.items()]
    )


def basic(user: str) -> bytes:
    return b"Basic " + base64.b64encode(user.encode())


@pytest.mark.parametrize(
    ("authorization", "x_write_key", "query", "site"),
    [
        (basic("k1:"), b"", b"", "one"),
        (basic("k2"), b"", b"", "two"),
        (basic("k1:password"), b"", b"", "one"),
        (b"basic  " + base64.b64encode(b"k1:"), b"", b"", "one"),
        (b"Bearer k1", b"", b"", "one"),
        (b"", b" k1 ", b"", "one"),
        (b"", b"", b"writeKey=k2", "two"),
        (b"", b"", b"write_key=k2", "two"),
        (b"", b"", b"a=b&writeKey=k%31&c=d", "one"),
        (basic("wrong:"), b"k1", b"writeKey=k1", None),
        (b"Digest k1", b"", b"", None),
        (b"Basic !!!", b"k1", b"", None),
        (b"Basic", b"k1", b"", None),
        (b"", b"wrong", b"", None),
        (b"", b"", b"writeKey=", None),
        (b"", b"", b"writekey=k1", None),
        (b"", b"", b"", None),
    ],
)
def test_the_site_of_a_request(authorization: bytes, x_write_key: bytes, query: bytes, site: str | None) -> None:
    given = {b"authorization": authorization, b"x-write-key": x_write_key}
    headers = {name: value for name, value in given.items() if value}
    assert keys(one={"k1"}, two={"k2"}).site(standard_key(headers, query)) == site


def test_a_key_is_compared_as_bytes() -> None:
    known = keys(one={"schlüssel"})
    assert known.site("schlüssel".encode()) == "one"
    assert known.site(b"\xff\xfe") is None
    assert known.site(b"") is None


def test_a_key_of_two_sites_belongs_to_the_first() -> None:
    assert keys(one={"k"}, two={"k", "k2"}).site(b"k") == "one"


@pytest.mark.parametrize(
    ("allowed", "origin", "allows"),
    [
        ((), b"https://any.example", True),
        ((), b"null", True),
        (("https://shop.example",), b"https://shop.example", True),
        (("https://Shop.example",), b"https://SHOP.example", True),
        (("https://shop.example",), b"http://shop.example", False),
        (("https://shop.example",), b"https://shop.example:8443", False),
        (("https://shop.example",), b"https://shop.example.evil.example", False),
        (("https://shop.example",), b"null", False),
        (("https://*.shop.example",), b"https://www.shop.example", True),
        (("https://*.shop.example",), b"https://a.b.shop.example", True),
        (("https://*.shop.example",), b"https://shop.example", False),
        (("https://*.shop.example",), b"https://evilshop.example", False),
        (("https://*.shop.example",), b"http://www.shop.example", False),
    ],
)
def test_which_pages_may_send(allowed: tuple[str, ...], origin: bytes, allows: bool) -> None:
    one = SiteSettings(name="one", write_keys=(SecretStr("k"),), allowed_origins=allowed)
    assert WriteKeys([one]).allows("one", origin) is allows
    assert WriteKeys([one]).allows_for_any(origin) is allows
    assert WriteKeys([one]).allows("another", origin) is False


@pytest.mark.parametrize("origin", ["shop.example", "*", "https://*", "https://a/b", "https://a.*.b", "ftp://a"])
def test_what_is_no_origin_is_no_setting(origin: str) -> None:
    with pytest.raises(ValidationError, match="allowed_origins"):
        SiteSettings(name="one", write_keys=(SecretStr("k"),), allowed_origins=(origin,))


class Reloaded:
    """A configuration file, what reading it gives, and what was handed on."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.settings: Settings | SettingsError = Settings()
        self.applied: list[Sequence[SiteSettings]] = []
        self.reloader = SitesReloader(self.load, self.applied.append, [file])

    def load(self) -> Settings:
        if isinstance(self.settings, SettingsError):
            raise self.settings
        return self.settings

    async def write(self, content: str) -> None:
        self.file.with_suffix(".new").write_text(content)
        self.file.with_suffix(".new").replace(self.file)  # another file of the same name: it is told by more than time
        await self.reloader.check()


async def test_sites_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    reloaded = Reloaded(tmp_path / "snag.toml")
    await reloaded.reloader.check()
    assert reloaded.applied == []
    await reloaded.write("a")
    assert reloaded.applied == [Settings().sites]
    await reloaded.reloader.check()
    assert len(reloaded.applied) == 1


async def test_a_broken_file_leaves_the_sites_as_they_were(tmp_path: Path) -> None:
    reloaded = Reloaded(tmp_path / "snag.toml")
    reloaded.settings = SettingsError("snag.toml is no TOML")
    await reloaded.write("broken")
    assert reloaded.applied == []
    reloaded.settings = Settings()
    await reloaded.write("mended")
    assert len(reloaded.applied) == 1


def test_a_key_that_is_withdrawn_is_unknown_at_once() -> None:
    known = keys(one={"k1"})
    known.replace([SiteSettings(name="two", write_keys=(SecretStr("k2"),))])
    assert (known.site(b"k1"), known.site(b"k2")) == (None, "two")
