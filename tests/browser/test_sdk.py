"""The browser SDK in a real Chromium against a whole stack: what a page causes is in ClickHouse, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from snag.browser_sdk import script_tag, shipped
from tests.support.browser import chromium, http_server, page_handler
from tests.support.running import RunningStack, running_stack
from tests.support.sdk_visit import DEADLINE_S, Visit, crash, launched, playwright
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(600)]

HTML = "text/html; charset=utf-8"
BODY = """
<button id="buy">Buy 2 now</button>
<button id="broken">Apply coupon</button>
<a id="out" href="#other">More</a>
<form id="address" onsubmit="event.preventDefault()">
  <input name="street"><input name="zip" pattern="[0-9]+" title="digits"><input name="secret" type="password">
  <button id="send">Continue</button>
</form>
<button id="throws">Pay</button> <button id="slow">Filter</button>
<p data-snag-ignore><button id="ignored">Ignored</button></p>
<div style="height: 4000px"></div>
<script>
  document.getElementById("buy").onclick = () => { document.title += "."; };
  document.getElementById("throws").onclick = () => { throw new Error("no card"); };
  document.getElementById("slow").onclick = () => {
    for (const from = performance.now(); performance.now() - from < 700; );
    document.title += "slow";
  };
</script>
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[RunningStack]:
    chromium(pytestconfig)  # skips before anything is started
    with running_stack(tmp_path_factory.mktemp("sdk")) as running:
        yield running


@pytest.fixture(scope="module")
def collector(stack: RunningStack) -> str:
    address: str = stack.status()["collector"]
    return address


@pytest.fixture(scope="module")
def site(collector: str) -> Iterator[str]:
    """A shop of another origin than the collector; each page has its own script tag."""

    def page(tag: str, head: str = "") -> tuple[int, str, bytes]:
        html = f"<!doctype html><meta charset=utf-8><title>Shop</title>{head}{tag}{BODY}"
        return 200, HTML, html.encode()

    plain = script_tag(shipped(), collector, "wk_local", frozen=False)
    frozen = script_tag(shipped(), collector, "wk_local", frozen=True)
    policy = f"default-src 'self'; script-src {collector} 'nonce-n1'; connect-src 'self' {collector}; style-src 'none'"
    early = "<script nonce=n1>window.snag = [['track', 'early', {n: 1}], ['identify', 'u-1']]</script>"
    pages = {
        "/": page(plain),
        "/second": page(plain),
        "/consent": page(plain.replace("data-key", 'data-consent="required" data-key')),
        "/strict": page(frozen, f'<meta http-equiv="Content-Security-Policy" content="{policy}">{early}'),
        "/nokey": page(plain.replace('data-key="wk_local"', "")),
        "/favicon.ico": (200, "image/x-icon", b""),  # asked for by the browser itself
        "/api/fails": (500, "application/json", b"{}"),
        "/api/missing": (404, "application/json", b"{}"),
    }
    with http_server(page_handler(pages)) as address:
        yield address


@pytest.fixture(scope="module")
def browser(stack: RunningStack, pytestconfig: pytest.Config) -> Iterator[Browser]:
    with playwright() as started, launched(started, pytestconfig) as running:
        yield running


class StoredVisit(Visit):
    """A visit whose events are looked for in ClickHouse."""

    def __init__(self, context: BrowserContext, stack: RunningStack) -> None:
        super().__init__(context)
        self._stack = stack

    def stored(self) -> list[dict[str, Any]]:
        """Every row of the visit's sessions, with repeats that ClickHouse has not merged yet."""
        columns = "event_id, type, element, path, message, visitor_id, user_id, is_bot, props, ts"
        tables = " UNION ALL ".join(
            f"SELECT {columns} FROM {table} FINAL WHERE {self._mine()}"
            for table in ("clickstream", "errors", "checkouts")
        )
        return self._stack.query(f"SELECT * FROM ({tables}) ORDER BY ts")

    def wait_stored(self, *types: str) -> list[dict[str, Any]]:
        """Wait until each of `types` is there as often as it is named, then check that nothing is there twice."""
        wanted = Counter(types)
        wait_for(
            lambda: not wanted - Counter(row["type"] for row in self.stored()), DEADLINE_S, f"{dict(wanted)} stored"
        )
        rows = self.stored()
        assert len({row["event_id"] for row in rows}) == len(rows)
        return rows

    def wait_signals(self, *wanted: tuple[str, str]) -> None:
        """Wait until the live worker has found friction of each (signal, element) in the visit."""
        query = f"SELECT signal, element FROM friction_signals FINAL WHERE {self._mine()}"
        wait_for(
            lambda: set(wanted) <= {(row["signal"], row["element"]) for row in self._stack.query(query)},
            DEADLINE_S,
            f"{wanted} found",
        )

    def _mine(self) -> str:
        sessions = ", ".join(f"'{session}'" for session in sorted(self.sessions))
        return f"session_id IN ({sessions})"


@pytest.fixture
def visit(browser: Browser, stack: RunningStack) -> Iterator[Callable[..., StoredVisit]]:
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> StoredVisit:
        contexts.append(browser.new_context(**options))
        return StoredVisit(contexts[-1], stack)

    yield make
    for context in contexts:
        context.close()


def props_of(rows: list[dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    return [row["props"] for row in rows if row["type"] == type_]


def test_every_fact_of_clicks_forms_and_scrolling(visit: Callable[..., StoredVisit], site: str) -> None:
    shopper = visit(viewport={"width": 800, "height": 600})
    page = shopper.open(f"{site}/")
    page.evaluate("window.told = []; void snag.on('friction', f => told.push(f))")
    for _ in range(3):
        page.mouse.click(*centre(page, "#buy"))
    page.click("#broken")
    page.wait_for_function("told.some(f => f.signal === 'dead_click')")
    page.click("#ignored")
    page.fill("[name=street]", "Main 1")
    page.fill("[name=secret]", "hunter2")
    page.fill("[name=zip]", "not digits")
    page.click("#send")
    page.mouse.wheel(0, 2500)
    page.wait_for_function("scrollY > 1000")
    thrash(page)
    told = page.evaluate("told.map(f => f.signal)")
    page.goto(f"{site}/second")
    shopper.note(page)
    page.goto("about:blank")
    rows = shopper.wait_stored(
        *("page_view", "click", "click", "click", "click", "click", "dead_click", "cursor_thrash", "scroll"),
        *(
            "form_start",
            "form_field",
            "form_field",
            "form_error",
            "form_abandon",
            "page_leave",
            "page_view",
            "page_leave",
        ),
    )
    assert {"rage_click", "dead_click", "form_error", "cursor_thrash"} <= set(told)
    clicks = [row for row in rows if row["type"] == "click"]
    assert [row["element"] for row in clicks] == [*["button#buy"] * 3, "button#broken", "button#send"]
    assert clicks[0]["props"]["text"] == "Buy # now"
    assert [row["element"] for row in rows if row["type"] == "dead_click"] == ["button#broken"]
    assert props_of(rows, "dead_click")[0]["effect_ms"] == ""  # null: no effect within the wait
    assert props_of(rows, "form_error") == [{"field": "zip", "form": "address"}]
    assert next(row["message"] for row in rows if row["type"] == "form_error") == "patternMismatch"
    [abandoned] = props_of(rows, "form_abandon")
    assert (abandoned["form"], abandoned["field"], int(abandoned["filled"]), int(abandoned["total"])) == (
        *("address", "zip"),
        *(3, 3),
    )
    assert int(props_of(rows, "scroll")[0]["depth"]) > 30
    shopper.wait_signals(("rage_click", "button#buy"), ("dead_click", "button#broken"))
    assert "hunter2" not in str(rows)
    assert "Main 1" not in str(rows)
    assert {row["path"] for row in rows if row["type"] == "page_view"} == {"/", "/second"}
    assert shopper.complaints == []
    assert shopper.cookies() == []


def centre(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def thrash(page: Page) -> None:
    """Shake the cursor, slowly and then fast, until the rule has seen a slice of time that is fast enough.

    The moves are made inside the page: from outside they come too slowly on a busy machine.
    """
    page.wait_for_function(
        """async () => {
            for (let n = 0; n < 60; n++) {
                const screenX = 500 + (n % 2 ? 1 : -1) * (n < 30 ? 2 : 400);
                document.body.dispatchEvent(new MouseEvent("mousemove", {screenX, bubbles: true}));
                await new Promise((next) => setTimeout(next, 10));
            }
            return told.some((f) => f.signal === "cursor_thrash");
        }"""
    )


def test_every_kind_of_failure_and_no_failure_of_the_page_is_swallowed(
    visit: Callable[..., StoredVisit], site: str
) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    page.evaluate("window.heard = []; void addEventListener('error', e => heard.push(e.message))")
    page.evaluate("setTimeout(() => { throw new TypeError('x is undefined') })")
    page.evaluate("void Promise.reject(new Error('promised 17'))")
    page.evaluate("document.body.append(Object.assign(new Image(), {src: '/missing.png?token=abc'}))")
    assert page.evaluate("fetch('/api/fails', {method: 'POST'}).then(a => a.status)") == 500
    page.evaluate(
        "new Promise(done => { const x = new XMLHttpRequest();"
        " x.open('GET', '/api/missing'); x.onloadend = done; x.send() })"
    )
    page.evaluate("for (let i = 0; i < 20; i++) setTimeout(() => { throw new Error('loop') })")
    rows = shopper.wait_stored("js_error", "js_error", "resource_error", "http_error", "http_error", *["js_error"] * 5)
    messages = Counter(row["message"] for row in rows if row["type"] == "js_error")
    assert messages == {"x is undefined": 1, "promised 17": 1, "loop": 5}
    assert props_of(rows, "resource_error")[0]["src"] == f"{site}/missing.png"
    found = {(int(p["status"]), p["method"], p["request_path"]) for p in props_of(rows, "http_error")}
    assert found == {(500, "POST", "/api/fails"), (404, "GET", "/api/missing")}
    assert page.evaluate("heard.filter(message => message.includes('loop')).length") == 20


def test_a_single_page_application_and_web_vitals(visit: Callable[..., StoredVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    page.evaluate("history.pushState({}, '', '/cart'); document.title = 'Cart'")
    page.wait_for_timeout(0)
    page.evaluate("new Promise(done => setTimeout(done))")
    page.evaluate("history.replaceState({}, '', '/cart#part')")
    page.evaluate("history.back()")
    page.wait_for_url(f"{site}/")
    page.evaluate("new Promise(done => setTimeout(done))")
    page.click("#buy")
    page.goto("about:blank")
    rows = shopper.wait_stored(*["page_view"] * 3, *["page_leave"] * 3, *["web_vital"] * 4)
    for type_ in ("page_view", "page_leave"):
        assert Counter(row["path"] for row in rows if row["type"] == type_) == {"/": 2, "/cart": 1}
    assert {"LCP", "FCP", "TTFB", "CLS"} <= {props["name"] for props in props_of(rows, "web_vital")}
    assert shopper.complaints == []


def test_a_click_that_fails_and_one_that_is_slow_are_found(visit: Callable[..., StoredVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    page.click("#throws")
    page.evaluate(
        "new PerformanceObserver((seen) => window.measured = seen.getEntries().some(e => e.duration > 600))"
        ".observe({type: 'event'})"
    )
    page.click("#slow")
    page.wait_for_function("window.measured")  # the browser measures a click after the frame that shows its effect
    page.goto("about:blank")
    rows = shopper.wait_stored("click", "js_error", "click", "web_vital", "page_leave")
    found = [row for row in rows if row["type"] == "web_vital" and row["props"]["name"] == "INP"]
    worst = max(found, key=lambda row: float(row["props"]["value"]))
    assert (worst["props"]["rating"], worst["path"]) == ("poor", "/")
    assert float(worst["props"]["value"]) >= 700
    shopper.wait_signals(("error_click", "button#throws"), ("slow_interaction", ""))


def test_offline_and_back_loses_nothing(visit: Callable[..., StoredVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    shopper.wait_stored("page_view")
    page.context.set_offline(True)
    for number in range(60):  # more than one request's worth
        page.evaluate(f"snag.track('offline', {{n: {number}}})")
    page.evaluate("snag.flush()")
    page.evaluate("snag.orderCompleted({order_id: 'o-1', value: 12.5, currency: 'EUR'})")
    page.context.set_offline(False)
    rows = shopper.wait_stored(*["offline"] * 60, "order_completed")
    assert sorted(int(props["n"]) for props in props_of(rows, "offline")) == list(range(60))
    assert props_of(rows, "order_completed") == [{"currency": "EUR", "order_id": "o-1", "value": "12.5"}]


def test_a_killed_tab_leaves_its_events_to_the_next_one(
    visit: Callable[..., StoredVisit], site: str, collector: str
) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    with unreachable(page, collector):
        page.evaluate("snag.checkoutStarted({value: 99, checkout_id: 'c-1'})")
        page.evaluate("snag.track('last_words')")
        page.evaluate("snag.flush()")
    crash(page)
    shopper.open(f"{site}/second")
    rows = shopper.wait_stored("checkout_started", "last_words", "page_view", "page_view")
    assert len(shopper.sessions) == 2  # without consent a session lives as long as its tab
    assert props_of(rows, "checkout_started") == [{"checkout_id": "c-1", "value": "99"}]


@contextmanager
def unreachable(page: Page, collector: str) -> Iterator[None]:
    """Requests of the page to the collector break while this lasts."""
    pattern = f"{collector}/**"
    page.route(pattern, lambda route: route.abort())
    yield
    page.unroute(pattern)


def test_a_page_closed_in_the_middle_of_the_checkout_says_so(visit: Callable[..., StoredVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    page.evaluate("snag.checkoutStarted({value: 10}); snag.checkoutStepViewed({step: 2, payment_method: 'card'})")
    page.close(run_before_unload=False)
    rows = shopper.wait_stored("page_view", "checkout_started", "checkout_step_viewed", "page_leave")
    assert props_of(rows, "checkout_step_viewed") == [{"payment_method": "card", "step": "2"}]


def test_a_collector_that_is_full_is_asked_again_when_it_said(
    visit: Callable[..., StoredVisit], site: str, collector: str
) -> None:
    shopper = visit()
    page = shopper.page()
    refused: list[str] = []

    def refuse(route: Any) -> None:
        refused.append(route.request.post_data)
        headers = {
            "retry-after": "1",
            "access-control-allow-origin": site,
            "access-control-expose-headers": "retry-after",
        }
        route.fulfill(status=503 if len(refused) % 2 else 429, headers=headers, body="{}")

    pattern = f"{collector}/s?*"
    page.route(pattern, refuse)
    page.goto(f"{site}/")
    wait_for(lambda: page.wait_for_timeout(50) is None and len(refused) >= 3, DEADLINE_S, "three refusals")
    page.unroute(pattern)
    shopper.note(page)
    rows = shopper.wait_stored("page_view")
    assert rows[0]["event_id"] in refused[0]


def test_nothing_leaves_the_page_before_consent_and_all_of_it_after(
    visit: Callable[..., StoredVisit], site: str, collector: str
) -> None:
    shopper = visit()
    page = shopper.page()
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
    page.goto(f"{site}/consent")
    page.wait_for_function("window.snag && snag.version")
    page.evaluate("snag.track('before')")
    page.evaluate("snag.flush()")
    page.wait_for_load_state("networkidle")
    assert posted == []
    assert page.evaluate("Object.keys(localStorage).concat(Object.keys(sessionStorage))") == []
    page.evaluate("snag.consent('granted'); snag.track('after'); snag.survey('why', 'too expensive', {score: 2})")
    shopper.note(page)
    rows = shopper.wait_stored("page_view", "before", "after", "survey_answered")
    visitors = {row["type"]: row["visitor_id"] for row in rows}
    assert visitors["before"] == ""
    assert len(visitors["after"]) == 32
    page.evaluate("snag.consent('denied'); snag.track('never')")
    assert page.evaluate("Object.keys(localStorage)") == ["snag.c"]
    assert page.evaluate("Object.keys(sessionStorage)") == []


@pytest.mark.parametrize("signal", ["globalPrivacyControl: true", "doNotTrack: '1'"])
def test_a_browser_that_asks_for_privacy_is_left_alone(
    visit: Callable[..., StoredVisit], site: str, signal: str
) -> None:
    shopper = visit()
    page = shopper.page()
    name, value = signal.split(": ")
    page.add_init_script(f"Object.defineProperty(Navigator.prototype, '{name}', {{get: () => {value}}})")
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
    page.goto(f"{site}/")
    page.wait_for_function("window.snag && snag.version")
    page.evaluate("snag.consent('granted'); snag.track('never'); snag.flush()")
    page.wait_for_load_state("networkidle")
    assert posted == []
    assert page.evaluate("Object.keys(localStorage).concat(Object.keys(sessionStorage))") == []


def test_a_strict_policy_a_hash_lock_and_calls_made_before_it_loaded(
    visit: Callable[..., StoredVisit], site: str
) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/strict")
    rows = shopper.wait_stored("early", "identify", "page_view")
    assert props_of(rows, "early") == [{"n": "1"}]
    assert next(row["user_id"] for row in rows if row["type"] == "identify") == "u-1"
    assert [c for c in shopper.complaints if "snag" in c.lower() or "integrity" in c.lower()] == []
    page.close()


def test_it_works_without_storage_and_its_own_failure_breaks_nothing(
    visit: Callable[..., StoredVisit], site: str
) -> None:
    shopper = visit()
    page = shopper.page()
    page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        "  Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError') }})"
    )
    bodies: list[str] = []
    page.on("request", lambda request: bodies.append(request.post_data or "") if request.method == "POST" else None)
    page.goto(f"{site}/")
    page.wait_for_function("window.snag && snag.version")
    page.evaluate("void snag.on('friction', () => { throw new Error('mine') })")
    page.evaluate("snag.track('stateless'); snag.flush()")
    wait_for(lambda: page.wait_for_timeout(20) is None and "stateless" in "".join(bodies), DEADLINE_S, "it is sent")
    page.click("#buy")
    assert page.title() == "Shop."


def test_a_tag_without_a_key_says_so_and_does_nothing(visit: Callable[..., StoredVisit], site: str) -> None:
    shopper = visit()
    page = shopper.page()
    page.goto(f"{site}/nokey")
    page.wait_for_load_state("networkidle")
    assert any("data-key" in complaint for complaint in shopper.complaints)
    assert page.evaluate("typeof window.snag") == "undefined"
