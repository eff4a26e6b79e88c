"""What a request's context adds to its events, and what an opt-out takes away."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from ingest.context import NO_CONTEXT, ContextReader, RequestContext
from ingest.cookie import VisitorCookie
from ingest.draft import Draft
from ingest.enrichment import Enrichment
from ingest.lines import LineWriter
from schemas.event import Event, from_ms, partition_key
from schemas.settings import CookieSettings, LimitSettings, PrivacySettings

NOW = from_ms(1_795_521_600_000)
ENRICHMENT = Enrichment(PrivacySettings(), LimitSettings())
TRUNCATING = Enrichment(PrivacySettings(ip="truncate"), LimitSettings())
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def enriched(
    context: RequestContext,
    enrichment: Enrichment = ENRICHMENT,
    *,
    server_side: bool = False,
    **fields: Any,
) -> Event:
    """The event that is written; its key is the one that the enrichment gave."""
    draft = Draft(event_id="e", kind="clickstream", type="page_view", ts=NOW, **fields)
    (key,) = enrichment.of("shop", context, server_side=server_side, received_ms=0)([draft])
    (line,) = LineWriter("shop", NOW, None, masks=False)([draft])
    event = msgspec.json.decode(line, type=Event)
    assert partition_key(event) == f"shop:{key}".encode()
    return event


def test_the_request_s_agent_fills_what_the_client_left_open() -> None:
    event = enriched(RequestContext(user_agent=FIREFOX))
    assert (event.device, event.browser, event.os, event.is_bot) == ("desktop", "Firefox", "Linux", False)
    event = enriched(RequestContext(user_agent=FIREFOX), device="kiosk", browser="Own", os="QNX")
    assert (event.device, event.browser, event.os) == ("kiosk", "Own", "QNX")


def test_an_event_s_own_agent_wins_over_the_request_s() -> None:
    assert enriched(RequestContext(user_agent=GOOGLEBOT), user_agent=FIREFOX).browser == "Firefox"
    assert enriched(RequestContext(user_agent=FIREFOX), user_agent=GOOGLEBOT).is_bot


def test_the_agent_of_a_server_is_not_its_visitors() -> None:
    event = enriched(RequestContext(user_agent=GOOGLEBOT), server_side=True)
    assert not event.is_bot
    assert event.browser == ""


def test_bots_are_flagged_and_a_client_s_own_flag_stays() -> None:
    assert enriched(RequestContext(user_agent=GOOGLEBOT)).is_bot
    assert enriched(RequestContext(user_agent=FIREFOX), is_bot=True).is_bot


def test_no_address_is_kept_unless_the_settings_say_so() -> None:
    context = RequestContext(ip="203.0.113.77")
    assert enriched(context).ip == ""
    assert enriched(context, TRUNCATING).ip == "203.0.113.0"


def test_an_address_that_a_browser_claims_is_not_believed() -> None:
    said = "198.51.100.7"
    browser = RequestContext(ip="203.0.113.77", from_browser=True)
    server = RequestContext(ip="203.0.113.77")
    assert enriched(browser, TRUNCATING, ip=said).ip == "203.0.113.0"
    assert enriched(server, TRUNCATING, ip=said).ip == "198.51.100.0"
    assert enriched(server, TRUNCATING, server_side=True).ip == ""


def test_who_opted_out_is_counted_without_ids() -> None:
    event = enriched(
        RequestContext(ip="203.0.113.77", user_agent=FIREFOX, opted_out=True),
        TRUNCATING,
        visitor_id="v",
        session_id="s",
        user_id="u",
        url="https://shop.example/",
    )
    assert (event.visitor_id, event.session_id, event.user_id, event.ip) == ("", "", "", "")
    assert (event.browser, event.url) == ("Firefox", "https://shop.example/")


def test_only_the_setting_drops_who_opted_out() -> None:
    dropping = Enrichment(PrivacySettings(opt_out="drop"), LimitSettings())
    assert dropping.drops(RequestContext(opted_out=True))
    assert not dropping.drops(NO_CONTEXT)
    assert not ENRICHMENT.drops(RequestContext(opted_out=True))


def test_the_cookie_s_visitor_is_used_where_the_client_names_none() -> None:
    context = RequestContext(visitor_id="c" * 32)
    assert enriched(context).visitor_id == "c" * 32
    assert enriched(context, visitor_id="own").visitor_id == "own"


def context_of(headers: dict[bytes, bytes], client: Any = ("203.0.113.9", 1), **settings: Any) -> RequestContext:
    return ContextReader(PrivacySettings(**settings))({"client": client}, headers)


@pytest.mark.parametrize(
    ("headers", "opt_out", "opted_out"),
    [
        ({b"dnt": b"1"}, "count", True),
        ({b"sec-gpc": b"1"}, "drop", True),
        ({b"dnt": b"0", b"sec-gpc": b"0"}, "count", False),
        ({}, "count", False),
        ({b"dnt": b"1", b"sec-gpc": b"1"}, "ignore", False),
    ],
)
def test_do_not_track_and_global_privacy_control(headers: dict[bytes, bytes], opt_out: str, *, opted_out: bool) -> None:
    assert context_of(headers, opt_out=opt_out).opted_out is opted_out


def test_the_context_is_what_the_request_says() -> None:
    context = context_of(
        {b"user-agent": b"caf\xe9/1", b"origin": b"https://shop.example", b"x-forwarded-for": b"198.51.100.7"},
        trusted_proxies=["203.0.113.0/24"],
    )
    assert context == RequestContext(user_agent="café/1", ip="198.51.100.7", from_browser=True)
    assert context_of({}, client=None) == NO_CONTEXT


BROWSER = {b"origin": b"https://shop.example"}


def test_there_is_no_cookie_unless_it_is_switched_on() -> None:
    assert context_of(BROWSER).visitor_id == ""


def test_a_browser_is_given_a_cookie_once() -> None:
    reader = ContextReader(PrivacySettings(cookie=CookieSettings(enabled=True)))
    first = reader({}, BROWSER)
    assert first.new_visitor
    name, value = reader.cookie_header(first)
    assert name == b"set-cookie"
    cookie = value.split(b";")[0]
    again = reader({}, BROWSER | {b"cookie": b"a=b; " + cookie + b"; c=d"})
    assert (again.visitor_id, again.new_visitor) == (first.visitor_id, False)


@pytest.mark.parametrize("headers", [{}, BROWSER | {b"dnt": b"1"}], ids=["a server", "opted out"])
def test_neither_a_server_nor_who_opted_out_is_given_one(headers: dict[bytes, bytes]) -> None:
    context = context_of(headers, cookie=CookieSettings(enabled=True))
    assert (context.visitor_id, context.new_visitor) == ("", False)


@pytest.mark.parametrize(
    ("query", "declined"), [(b"cookie=no&writeKey=wk", True), (b"writeKey=wk", False), (b"no-cookie=no", False)]
)
def test_a_client_that_declines_the_cookie_is_neither_known_by_it_nor_given_one(query: bytes, declined: bool) -> None:
    reader = ContextReader(PrivacySettings(cookie=CookieSettings(enabled=True)))
    for cookie in ({}, {b"cookie": b"snag_visitor=" + b"a" * 32}):
        context = reader({"query_string": query}, BROWSER | cookie)
        assert (context.visitor_id == "") == declined
        assert not (declined and context.new_visitor)


def test_a_cookie_s_attributes_follow_the_settings() -> None:
    visitor = "ab" * 16
    assert VisitorCookie(CookieSettings(enabled=True)).header(visitor) == (
        b"snag_visitor=" + visitor.encode() + b"; Max-Age=31536000; Path=/; HttpOnly; SameSite=Lax; Secure"
    )
    other = CookieSettings(
        enabled=True, name="v", same_site="strict", secure=False, domain="shop.example", max_age_s=60
    )
    assert VisitorCookie(other).header(visitor) == (
        b"v=" + visitor.encode() + b"; Max-Age=60; Path=/; HttpOnly; SameSite=Strict; Domain=shop.example"
    )
    assert b"Max-Age=0;" in VisitorCookie(other).header("", max_age_s=0)
    with pytest.raises(ValidationError, match="set secure = true"):
        CookieSettings(same_site="none", secure=False)


@pytest.mark.parametrize(
    "header", [b"", b"snag_visitor=", b"snag_visitor=forged;", b"x=" + b"a" * 32, b";;=;", b"\xff"]
)
def test_what_this_collector_did_not_give_out_is_no_visitor(header: bytes) -> None:
    assert VisitorCookie(CookieSettings(enabled=True)).read(header) == ""


def test_a_hot_visitor_is_flagged_and_goes_to_any_partition() -> None:
    enrichment = Enrichment(PrivacySettings(), LimitSettings(hot_events_per_minute=4))
    events = [enriched(NO_CONTEXT, enrichment, visitor_id="robot") for _ in range(6)]
    assert [event.is_hot for event in events] == [False] * 4 + [True] * 2
    assert partition_key(events[0]) == b"shop:robot"
    assert partition_key(events[-1]) == b"shop:e"
    assert not enriched(NO_CONTEXT, enrichment, visitor_id="human").is_hot


def test_an_address_that_sends_without_ids_is_hot_as_well() -> None:
    enrichment = Enrichment(PrivacySettings(), LimitSettings(hot_events_per_minute=4))
    events = [enriched(RequestContext(ip="203.0.113.9"), enrichment) for _ in range(5)]
    assert [event.is_hot for event in events] == [False] * 4 + [True]
    assert not enriched(RequestContext(ip="203.0.113.9"), enrichment, server_side=True).is_hot
    assert not enriched(NO_CONTEXT, Enrichment(PrivacySettings(), LimitSettings(hot_events_per_minute=0))).is_hot
