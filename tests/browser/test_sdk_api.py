"""What a page calls and says in its tag: the browser SDK's typed calls, consent, ids and attributes, seen in Kafka."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from schemas.event_types import EVENT_TYPES
from snag.browser_sdk import shipped
from tests.contract.test_ingest_http import CollectorProcess
from tests.support.browser import chromium, http_server, page_handler
from tests.support.sdk_visit import TopicVisit, launched, of_type, playwright, sdk_collector, tagged_page
from tests.support.stack import KafkaServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(300)]

STORED: Final = "Object.keys(localStorage).concat(Object.keys(sessionStorage)).sort()"
BODY: Final = """
<button id="buy">Buy now</button><a id="next" href="/next">Next</a>
<nav data-snag="main menu"><button class="x1y2z3">Menu</button></nav>
<p data-snag-mask><button id="name">Hello Anna</button></p>
<script>document.onclick = (click) => { document.title += "." + (click.defaultPrevented ? "held" : ""); };</script>
"""

_PRODUCT: Final = {"product_id": "p1", "name": "Mug", "price": 12.5, "quantity": 2, "value": 25, "currency": "EUR"}
_CHECKOUT: Final = {"checkout_id": "c1", "order_id": "o1", "value": 25, "shipping": 4.9, "currency": "EUR"}
CALLS: Final[dict[str, dict[str, Any]]] = {
    "productViewed": _PRODUCT,
    "productAdded": _PRODUCT | {"sku": "m-1", "variant": "blue", "brand": "Potter", "category": "kitchen"},
    "productRemoved": _PRODUCT,
    "cartViewed": {"cart_id": "k1", "value": 25, "products": [{"product_id": "p1", "quantity": 2}]},
    "checkoutStarted": _CHECKOUT | {"products": [{"product_id": "p1", "price": 12.5}]},
    "checkoutStepViewed": _CHECKOUT | {"step": 1, "account_type": "guest checkout"},
    "checkoutStepCompleted": _CHECKOUT | {"step": "shipping", "shipping_method": "express"},
    "paymentInfoEntered": _CHECKOUT | {"step": 3, "payment_method": "card"},
    "paymentFailed": _CHECKOUT | {"error_type": "soft", "error_code": "insufficient_funds", "resolution": "other card"},
    "couponEntered": {"coupon_id": "SAVE10"},
    "couponApplied": {"coupon_id": "SAVE10", "discount": 2.5},
    "couponRemoved": {"coupon_id": "SAVE10"},
    "couponDenied": {"coupon_id": "SAVE10", "reason": "expired"},
    "orderCompleted": _CHECKOUT | {"total": 29.9, "tax": 4.77, "coupon": "SAVE10"},
    "orderRefunded": {"order_id": "o1", "total": 29.9, "currency": "EUR"},
    "productsSearched": {"query": "blue mug", "results": 0},
}


@pytest.fixture(scope="module")
def collector(
    kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[CollectorProcess]:
    chromium(pytestconfig)  # skips before anything is started
    with sdk_collector(tmp_path_factory.mktemp("sdk-api"), kafka.bootstrap) as running:
        yield running


@pytest.fixture(scope="module")
def address(collector: CollectorProcess) -> str:
    return f"http://127.0.0.1:{collector.port}"


@pytest.fixture(scope="module")
def site(address: str) -> Iterator[str]:
    tags = {
        "/": "",
        "/next": "",
        "/required": 'data-consent="required"',
        "/ignore": 'data-dnt="ignore"',
        "/release": 'data-release="shop@7" data-mask="all" data-path="v1/events"',
        "/hash": "data-hash",
        "/quiet": 'data-auto="off"',
        "/core": 'data-friction="off" data-debug',
    }
    pages = {path: tagged_page(address, attributes, BODY) for path, attributes in tags.items()}
    pages["/frozen"] = tagged_page(address, "", BODY, frozen=True)
    with http_server(page_handler(pages)) as running:
        yield running


@pytest.fixture(scope="module")
def browser(collector: CollectorProcess, pytestconfig: pytest.Config) -> Iterator[Browser]:
    with playwright() as started, launched(started, pytestconfig) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, collector: CollectorProcess) -> Iterator[Callable[[], TopicVisit]]:
    contexts = []

    def make() -> TopicVisit:
        contexts.append(browser.new_context())
        return TopicVisit(contexts[-1], collector)

    yield make
    for context in contexts:
        context.close()


def camel(name: str) -> str:
    """`Order Completed` or `order_completed` as the SDK's call."""
    first, *others = re.split(r"[ _]", name)
    return first.lower() + "".join(word.capitalize() for word in others)


def type_of(call: str) -> str:
    """The event type that a call of the SDK stands for, by the table of event types."""
    of_segment = {camel(known.segment): name for name, known in EVENT_TYPES.items() if known.segment}
    return of_segment.get(call) or {camel(name): name for name in EVENT_TYPES}[call]


def test_every_commerce_call_arrives_with_its_type_and_all_its_fields(
    visit: Callable[[], TopicVisit], site: str
) -> None:
    commerce = {camel(known.segment) for known in EVENT_TYPES.values() if known.kind == "checkout" and known.segment}
    assert commerce | {"productsSearched", "paymentFailed"} == set(CALLS)
    shopper = visit()
    page = shopper.open(f"{site}/core", friction=False)
    for call, props in CALLS.items():
        page.evaluate("([call, props]) => snag[call](props)", [call, props])
    events = {event.type: event for event in shopper.wait(*map(type_of, CALLS))}
    for call, props in CALLS.items():
        event = events[type_of(call)]
        assert (event.kind, event.props) == (EVENT_TYPES[event.type].kind, props), call
        assert event.url == f"{site}/core"


def test_a_call_with_what_json_cannot_say_neither_throws_nor_loses_the_event(
    visit: Callable[[], TopicVisit], site: str
) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/core", friction=False)
    page.evaluate("snag.orderCompleted({order_id: 'o-2', value: 250n})")
    page.evaluate("const props = {value: 7}; props.self = props; snag.checkoutStarted(props)")
    events = shopper.wait("order_completed", "checkout_started")
    assert of_type(events, "order_completed")[0].props == {"order_id": "o-2", "value": "250"}
    assert of_type(events, "checkout_started")[0].props["value"] == "7"


def test_without_a_word_nothing_is_kept_beyond_the_tab(visit: Callable[[], TopicVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    page.evaluate("snag.identify('u-7', {plan: 'gold'})")
    assert page.evaluate("JSON.stringify(snag.ids())") == f'{{"session_id":"{next(iter(shopper.sessions))}"}}'
    shopper.go(page, f"{site}/next")
    other = shopper.open(f"{site}/next")
    assert len(shopper.sessions) == 2
    events = shopper.wait("identify", *["page_view"] * 3)
    assert {event.visitor_id for event in events} == {""}
    assert of_type(events, "identify")[0].props == {"plan": "gold"}
    users = {(event.path, event.user_id) for event in of_type(events, "page_view")}
    assert users == {("/", ""), ("/next", "u-7"), ("/next", "")}  # the other tab is nobody's
    assert other.evaluate("Object.keys(localStorage).filter(name => !name.startsWith('snag.o.'))") == []
    assert shopper.cookies() == []


def test_with_consent_a_visitor_and_a_user_are_known_again(visit: Callable[[], TopicVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    page.evaluate("snag.identify('u-8'); snag.consent('granted'); snag.track('asked')")
    ids = page.evaluate("snag.ids()")
    shopper.note(page)
    page.close()
    later = shopper.open(f"{site}/next")
    assert later.evaluate("snag.ids()") == ids
    assert shopper.sessions == {ids["session_id"]}
    events = shopper.wait("identify", "asked", "page_view", "page_view")
    assert of_type(events, "asked")[0].visitor_id == ids["visitor_id"] != ""
    [view] = [event for event in of_type(events, "page_view") if event.path == "/next"]
    assert (view.visitor_id, view.user_id) == (ids["visitor_id"], "u-8")
    later.evaluate("snag.consent('anonymous'); snag.track('withdrawn')")
    assert later.evaluate("snag.ids().visitor_id") is None
    assert later.evaluate("localStorage['snag.v'] || localStorage['snag.u'] || localStorage['snag.s']") is None
    assert of_type(shopper.wait("withdrawn"), "withdrawn")[0].visitor_id == ""
    assert shopper.cookies() == []


def test_where_consent_is_required_anonymous_sends_what_waited_and_holds_on_the_next_page(
    visit: Callable[[], TopicVisit], site: str
) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/required")
    page.evaluate("snag.identify('u-9'); snag.track('before')")
    assert page.evaluate(STORED) == []
    page.evaluate("snag.consent('anonymous'); snag.survey('why-not', 4, {text: 'too dear'})")
    shopper.note(page)
    shopper.go(page, f"{site}/required")
    events = shopper.wait("page_view", "identify", "before", "survey_answered", "page_leave", "page_view")
    assert of_type(events, "survey_answered")[0].props == {"survey": "why-not", "answer": 4, "text": "too dear"}
    assert of_type(events, "page_view")[-1].user_id == "u-9"
    assert {event.visitor_id for event in events} == {""}


def test_a_refusal_holds_in_every_tab_and_on_every_later_page(visit: Callable[[], TopicVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    page.evaluate("snag.identify('u-10'); snag.consent('granted')")
    other = shopper.open(f"{site}/next")
    posted: list[str] = []
    page.evaluate("snag.consent('denied'); snag.track('never')")
    other.wait_for_function("snag.ids().session_id === undefined")
    for tab in (page, other):
        tab.on("request", lambda request: posted.append(request.post_data or "") if request.method == "POST" else None)
        tab.evaluate("snag.track('never'); snag.orderCompleted({value: 1}); snag.flush()")
        tab.click("#next")
        tab.wait_for_function("location.pathname === '/next' && window.snag && snag.version")
        tab.wait_for_load_state("networkidle")
        assert tab.evaluate("snag.ids()") == {}
        assert tab.evaluate(STORED) == ["snag.c"]
    assert posted == []
    page.evaluate("snag.consent('granted'); snag.track('changed_my_mind')")
    shopper.sessions = {page.evaluate("snag.ids().session_id")}
    assert {event.user_id for event in shopper.wait("changed_my_mind")} == {""}


@pytest.mark.parametrize("signal", ["globalPrivacyControl: true", "doNotTrack: '1'"])
def test_a_site_that_has_asked_by_other_means_may_ignore_the_browsers_signal(
    visit: Callable[[], TopicVisit], site: str, signal: str
) -> None:
    shopper = visit()
    page = shopper.page()
    name, value = signal.split(": ")
    page.add_init_script(f"Object.defineProperty(Navigator.prototype, '{name}', {{get: () => {value}}})")
    shopper.go(page, f"{site}/")
    assert (page.evaluate("snag.ids()"), page.evaluate(STORED)) == ({}, [])
    shopper.go(page, f"{site}/ignore")
    assert {event.path for event in shopper.wait("page_view")} == {"/ignore"}


def test_release_path_and_masks_of_the_tag(visit: Callable[[], TopicVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/release")
    page.click("#buy")
    shopper.go(page, f"{site}/")
    page.click("nav button")
    page.click("#name")
    clicks = of_type(shopper.wait("page_view", "click", "page_view", "click", "click"), "click")
    assert [(click.element, click.props.get("text"), click.release) for click in clicks] == [
        ("button#buy", None, "shop@7"),
        ('nav[data-snag="main menu"] > button', "Menu", ""),
        ("button#name", None, ""),
    ]


def test_hash_routes_and_what_is_switched_off(visit: Callable[[], TopicVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/hash")
    page.evaluate("location.hash = '/cart'")
    page.wait_for_function("location.hash === '#/cart'")
    page.evaluate("new Promise(done => setTimeout(done, 50))")
    quiet = shopper.open(f"{site}/quiet", friction=False)
    quiet.click("#buy")
    quiet.evaluate("snag.track('mine')")
    core = shopper.open(f"{site}/core", friction=False)
    core.wait_for_load_state("networkidle")
    for tab in (quiet, core):
        shopper.note(tab)
        assert tab.evaluate("performance.getEntriesByType('resource').filter(e => e.name.includes('friction'))") == []
    events = shopper.wait("page_view", "page_leave", "page_view", "mine", "page_view")
    views = [event.url.removeprefix(site) for event in of_type(events, "page_view")]
    assert views == ["/hash", "/hash#/cart", "/core"]
    assert [event.type for event in events if event.path == "/quiet"] == ["mine"]


def test_the_frozen_file_lies_beside_the_moving_one(
    visit: Callable[[], TopicVisit], site: str, collector: CollectorProcess
) -> None:
    made = shipped()
    frozen = next(name for name in made.files if re.fullmatch(r"s-\d.*\.js", name))
    files = {name: collector.get(f"/{name}") for name in ("s.js", frozen)}
    assert files["s.js"].body == files[frozen].body
    assert "immutable" in files[frozen].headers["cache-control"]
    assert "immutable" not in files["s.js"].headers["cache-control"]
    shopper = visit()
    shopper.open(f"{site}/frozen")
    assert {event.path for event in shopper.wait("page_view")} == {"/frozen"}


@pytest.mark.parametrize(("path", "tampered", "runs"), [("/frozen", "s-[0-9]", False), ("/", "s-friction", True)])
def test_a_file_that_was_changed_on_the_way_does_not_run(
    visit: Callable[[], TopicVisit], site: str, path: str, tampered: str, runs: bool
) -> None:
    shopper = visit()
    page = shopper.page()

    def change(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text() + "\nwindow.stolen = true;")

    page.route(re.compile(rf"/{tampered}[^/]*\.js$"), change)
    page.goto(f"{site}{path}")
    page.wait_for_load_state("networkidle")
    page.evaluate("new Promise(done => requestIdleCallback(done))")
    page.wait_for_function("() => true")
    assert [c for c in shopper.complaints if "integrity" in c], shopper.complaints
    assert page.evaluate("[window.stolen, typeof window.snag]") == [None, "object" if runs else "undefined"]
    page.click("#buy")
    assert page.title() == "Shop."


def test_a_collector_that_does_not_answer_holds_up_no_click_and_no_navigation(
    visit: Callable[[], TopicVisit], site: str, address: str
) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    shopper.wait("page_view")
    page.route(f"{address}/s?*", lambda _: None)  # never answered
    page.click("#buy")
    assert page.title() == "Shop."  # the page's own handler ran, and nobody had taken the click from it
    page.evaluate("void snag.flush()")
    page.click("#next")
    page.wait_for_url(f"{site}/next")
    page.unroute(f"{address}/s?*")
    shopper.go(page, f"{site}/")
    shopper.wait("click", "click", "page_leave", "page_view", "page_view", "page_view")


def told_signals(page: Page) -> list[str]:
    """Signals the page was told of."""
    signals: list[str] = page.evaluate("told.map(f => f.signal + ' ' + f.element + ' ' + f.page)")
    return signals


def test_a_page_is_told_of_friction_until_it_has_heard_enough(visit: Callable[[], TopicVisit], site: str) -> None:
    shopper = visit()
    page = shopper.open(f"{site}/")
    page.evaluate("window.told = []; window.stop = snag.on('friction', f => told.push(f)); void 0")
    throw = "setTimeout(() => { throw new Error('broken') })"
    page.evaluate(throw)
    page.wait_for_function("told.length === 1")
    assert told_signals(page) == ["js_error  /"]
    page.evaluate("stop()")
    page.evaluate(throw)
    shopper.wait("js_error", "js_error")
    assert len(told_signals(page)) == 1
