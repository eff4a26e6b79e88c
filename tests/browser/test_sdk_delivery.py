"""What the browser SDK does when it cannot send at once: pages left in haste, full collectors, storage, going back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.contract.test_ingest_http import CollectorProcess
from tests.support.browser import chromium, http_server, page_handler
from tests.support.sdk_visit import (
    DEADLINE_S,
    TopicVisit,
    crash,
    launched,
    of_type,
    playwright,
    sdk_collector,
    tagged_page,
)
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(300)]

WITHOUT_KEEPALIVE: Final = """
delete Request.prototype.keepalive;
const fetch = window.fetch;
let left = false;
addEventListener("pagehide", () => { left = true }); // before the SDK's own listeners
window.fetch = (url, options) => {
  if (left) return Promise.reject(new TypeError());
  return window.hangs ? new Promise(() => {}) : fetch(url, {...options, keepalive: false});
};
"""
"""A browser in which no request outlives its page: none that was begun while it is left, on a fast machine, either."""
KEPT_ALIVE_BYTES: Final = 64 * 1024
OUTBOX: Final = "Object.keys(localStorage).filter(name => name.startsWith('snag.o.')).length"
RETRY_AFTER_S: Final = 3
BURST_MS: Final = 200  # how long a burst may wait before it is stored (outbox.ts)
CLOCKS_MS: Final = 50  # by how much the wall's clock and the page's may have moved apart


@pytest.fixture(scope="module")
def collector(
    kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[CollectorProcess]:
    chromium(pytestconfig)  # skips before anything is started
    cookie = {"SNAG_PRIVACY__COOKIE": '{"enabled": true, "secure": false}'}
    with sdk_collector(tmp_path_factory.mktemp("sdk-delivery"), kafka.bootstrap, cookie) as running:
        yield running


@pytest.fixture(scope="module")
def address(collector: CollectorProcess) -> str:
    return f"http://127.0.0.1:{collector.port}"


@pytest.fixture(scope="module")
def site(address: str) -> Iterator[str]:
    pages = {path: tagged_page(address, 'data-friction="off"') for path in ("/", "/next")}
    pages["/quiet"] = tagged_page(address, 'data-auto="off"')
    pages["/bare"] = (200, "text/html", b'<!doctype html><link rel="icon" href="data:,">')
    with http_server(page_handler(pages)) as running:
        yield running


@pytest.fixture(scope="module")
def started() -> Iterator[Playwright]:
    with playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(started: Playwright, collector: CollectorProcess, pytestconfig: pytest.Config) -> Iterator[Browser]:
    with launched(started, pytestconfig) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, collector: CollectorProcess) -> Iterator[TopicVisit]:
    context = browser.new_context()
    yield TopicVisit(context, collector)
    context.close()


def opened(visit: TopicVisit, site: str) -> Page:
    """A page whose page view has been sent."""
    page = visit.open(f"{site}/", friction=False)
    page.wait_for_function(f"{OUTBOX} === 0")
    return page


def test_what_does_not_fit_into_64_kib_at_the_pages_end_is_sent_by_the_next_page(visit: TopicVisit, site: str) -> None:
    page = opened(visit, site)
    page.evaluate(
        "window.setTimeout = () => 0;"  # nothing is sent before the page is left, however long that takes
        "for (let n = 0; n < 150; n++) snag.track('much', {n, text: 'x'.repeat(1000)});"
        "snag.orderCompleted({order_id: 'o-1', value: 3}); location.href = '/bare'"
    )
    page.wait_for_url(f"{site}/bare")
    sent = [event.props["n"] for event in of_type(visit.wait(*["much"] * 30), "much")]
    assert sent == list(range(len(sent)))  # the oldest
    assert len(sent) * 1000 < KEPT_ALIVE_BYTES
    assert page.evaluate(OUTBOX) > 0
    visit.go(page, f"{site}/next", friction=False)
    events = visit.wait(*["much"] * 150, "order_completed", "page_leave", "page_view")
    assert sorted(event.props["n"] for event in of_type(events, "much")) == list(range(150))
    page.wait_for_function(f"{OUTBOX} === 0")


def test_an_event_too_large_to_be_kept_alive_is_sent_and_holds_up_no_other(visit: TopicVisit, site: str) -> None:
    page = opened(visit, site)
    page.evaluate("snag.track('before'); snag.track('large', {text: 'é'.repeat(80000)}); snag.track('after')")
    events = visit.wait("before", "large", "after")
    assert len(of_type(events, "large")[0].props["text"]) == 80_000
    page.evaluate("snag.track('large', {text: 'x'.repeat(80000)}); snag.track('last'); location.href = '/bare'")
    page.wait_for_url(f"{site}/bare")
    visit.wait("last", "page_leave")
    visit.go(page, f"{site}/next", friction=False)
    visit.wait("large", "large")


def test_a_full_collector_is_left_alone_as_long_as_it_asked_while_events_go_on(
    visit: TopicVisit, site: str, address: str
) -> None:
    page = opened(visit, site)
    refusals: list[float] = []
    asked: list[float] = []

    def refuse(route: Any) -> None:
        asked.append(time.monotonic())
        headers = {
            "retry-after": str(RETRY_AFTER_S),
            "access-control-allow-origin": site,
            "access-control-expose-headers": "retry-after",
        }
        page.wait_for_timeout(1500)  # long enough for another event to ask for a request of its own
        refusals.append(time.monotonic())
        route.fulfill(status=503, headers=headers, body="{}")

    page.route(f"{address}/s?*", refuse)
    page.evaluate("window.n = 0; window.ticking = setInterval(() => snag.track('tick', {n: n++}), 100)")
    wait_for(lambda: page.wait_for_timeout(50) is None and len(refusals) >= 2, DEADLINE_S, "two refusals")
    page.unroute(f"{address}/s?*")
    assert asked[1] - refusals[0] >= RETRY_AFTER_S
    count = page.evaluate("clearInterval(ticking), n")
    events = visit.wait(*["tick"] * count)
    assert [event.props["n"] for event in of_type(events, "tick")] == list(range(count))


def test_a_burst_survives_a_reload_without_a_collector(visit: TopicVisit, site: str, address: str) -> None:
    page = opened(visit, site)
    page.route(f"{address}/s?*", lambda route: route.abort())
    page.evaluate("for (let n = 0; n < 100; n++) snag.track('burst', {n})")
    page.evaluate("snag.flush()")
    page.reload()
    page.wait_for_function("window.snag && snag.version")
    page.unroute(f"{address}/s?*")
    page.evaluate("dispatchEvent(new Event('online'))")
    events = visit.wait(*["burst"] * 100)
    assert [event.props["n"] for event in of_type(events, "burst")] == list(range(100))  # also those of one millisecond
    page.wait_for_function(f"{OUTBOX} === 0")


def test_a_click_is_stored_before_the_page_can_freeze(visit: TopicVisit, site: str, address: str) -> None:
    page = opened(visit, site)
    page.route(f"{address}/s?*", lambda route: route.abort())
    stored = page.evaluate(f"snag.track('first'), snag.track('second'), {OUTBOX}")
    assert stored == 2
    crowd = page.evaluate(f"(() => {{ for (let n = 0; n < 50; n++) snag.track('third'); return {OUTBOX} }})()")
    assert crowd < 52  # a burst is written together
    page.wait_for_function(f"Object.values(localStorage).join().split('third').length === 51 && {OUTBOX} < 52")


@pytest.mark.parametrize("kept_alive", [True, False], ids=["keepalive", "beacon"])
@pytest.mark.parametrize("path", ["/", "/quiet"])
def test_a_page_closed_within_a_burst_has_sent_all_of_it(
    visit: TopicVisit, site: str, *, kept_alive: bool, path: str
) -> None:
    page = visit.page()
    if not kept_alive:
        page.add_init_script(WITHOUT_KEEPALIVE)
    visit.go(page, f"{site}{path}", friction=False)
    page.evaluate("snag.track('begins')")
    page.evaluate("snag.flush()")
    visit.note(page)
    if not kept_alive:
        page.evaluate("window.hangs = true; snag.track('under_way'); void snag.flush()")  # it ends with the page
    page.evaluate("for (let n = 0; n < 100; n++) snag.track('burst', {n}); location.href = 'about:blank'")
    burst = ["burst"] * 100
    left = ["page_leave"] if path == "/" else []
    ends_with_page = [] if kept_alive else ["under_way"]
    events = visit.wait("begins", *burst, *left, *ends_with_page)
    assert [event.props["n"] for event in of_type(events, "burst")] == list(range(100))
    assert visit.cookies() == []
    assert {event.visitor_id for event in events} == {""}  # nobody agreed to be known, by a cookie neither


def test_a_page_without_keepalive_that_is_only_hidden_sends_on(visit: TopicVisit, site: str) -> None:
    page = visit.page()
    page.add_init_script(WITHOUT_KEEPALIVE)
    page.add_init_script(
        "window.beacons = []; const beacon = navigator.sendBeacon.bind(navigator);"
        "navigator.sendBeacon = (url, body) => { beacons.push(body.length); return beacon(url, body) };"
        "Object.defineProperty(Document.prototype, 'visibilityState', {get: () => window.seen ?? 'visible'})"
    )
    visit.go(page, f"{site}/", friction=False)
    page.wait_for_function(f"{OUTBOX} === 0")
    page.evaluate(
        "for (let n = 0; n < 100; n++) snag.track('much', {n, text: 'x'.repeat(1000)});"
        "window.seen = 'hidden'; document.dispatchEvent(new Event('visibilitychange', {bubbles: true}))"
    )
    events = visit.wait(*["much"] * 100)
    assert len(of_type(events, "much")) == 100
    page.wait_for_function(f"{OUTBOX} === 0")  # what only a beacon carried would not be known to have arrived
    [bytes_sent] = page.evaluate("beacons")
    assert bytes_sent < KEPT_ALIVE_BYTES


def test_a_tab_killed_within_a_burst_loses_at_most_what_was_not_written_yet(
    visit: TopicVisit, site: str, address: str
) -> None:
    page = opened(visit, site)
    page.route(f"{address}/s?*", lambda route: route.abort())
    page.evaluate("for (let n = 0; n < 100; n++) snag.track('burst', {n}); window.begun = performance.now()")
    page.wait_for_function(f"performance.now() - begun > {BURST_MS}")
    page.evaluate("for (let n = 0; n < 3; n++) snag.track('tail', {n})")
    crash(page)
    page = visit.page()
    visit.go(page, f"{site}/next", friction=False)
    events = visit.wait(*["burst"] * 100)
    assert [event.props["n"] for event in of_type(events, "burst")] == list(range(100))


def test_a_page_that_is_gone_back_to_comes_from_the_browsers_cache(
    started: Playwright, collector: CollectorProcess, pytestconfig: pytest.Config, site: str
) -> None:
    with launched(started, pytestconfig, "--disable-back-forward-cache") as browser:
        context = browser.new_context()
        visit = TopicVisit(context, collector)
        page = opened(visit, site)
        page.evaluate("window.kept = true")
        page.wait_for_function("navigator.locks.query().then(locks => locks.held.length === 1)")
        page.goto(f"{site}/bare")
        page.evaluate("history.back()")
        page.wait_for_url(f"{site}/", wait_until="commit")
        why = "JSON.stringify(performance.getEntriesByType('navigation')[0].notRestoredReasons)"
        assert page.evaluate("window.kept"), page.evaluate(why)
        page.wait_for_function("navigator.locks.query().then(locks => locks.held.length === 1)")
        events = visit.wait("page_view", "page_leave", "page_view")
        assert len({event.event_id for event in events}) == 3
        context.close()


def test_a_page_made_ready_ahead_is_no_view_until_it_is_shown(visit: TopicVisit, site: str) -> None:
    page = visit.page()
    page.add_init_script("Object.defineProperty(Document.prototype, 'prerendering', {get: () => !window.shown})")
    page.goto(f"{site}/")
    page.wait_for_function("window.snag && snag.version")
    page.evaluate("snag.track('ready')")
    page.evaluate("snag.flush()")
    visit.note(page)
    assert [event.type for event in visit.wait("ready")] == ["ready"]
    page.evaluate("window.shown = true; document.dispatchEvent(new Event('prerenderingchange'))")
    assert len(of_type(visit.wait("page_view"), "page_view")) == 1


def test_only_time_in_which_the_page_is_seen_counts(visit: TopicVisit, site: str) -> None:
    page = visit.page()
    page.add_init_script(
        "window.seen = 'visible';"
        "Object.defineProperty(Document.prototype, 'visibilityState', {get: () => window.seen});"
        "window.show = (what) => {"
        "  window.seen = what; document.dispatchEvent(new Event('visibilitychange', {bubbles: true})) }"
    )
    visit.go(page, f"{site}/", friction=False)
    page.evaluate("snag.track('waits'); show('hidden')")  # sent at once: a phone may end the page now
    visit.wait("page_view", "waits")
    hidden_ms = page.evaluate(
        "new Promise(done => { const from = performance.now();"
        " setTimeout(() => { show('visible'); done(performance.now() - from) }, 1000) })"
    )
    page.goto(f"{site}/bare")
    events = visit.wait("page_view", "page_leave")
    [view], [leave] = of_type(events, "page_view"), of_type(events, "page_leave")
    lived_ms = (leave.ts - view.ts).total_seconds() * 1000
    assert 0 < leave.props["visible_ms"] <= lived_ms - hidden_ms + CLOCKS_MS
