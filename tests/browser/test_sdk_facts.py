"""Facts of forms, clicks and requests that are easily missed or told too often: each on a page that causes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from schemas.event import Event
from tests.contract.test_ingest_http import CollectorProcess
from tests.support.browser import chromium, http_server, page_handler
from tests.support.sdk_visit import DEADLINE_S, TopicVisit, launched, of_type, playwright, sdk_collector, tagged_page
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(300)]

ACTION_MS: Final = 1000  # what begins within this time after a click is of its doing
JSON: Final = "application/json"
FORMS: Final = """
<form id="address" onsubmit="event.preventDefault()">
  <input name="street" required><input name="zip" value="x" aria-invalid="true"><input type="email" name="email">
  <p data-snag-ignore><input name="secret" aria-invalid="true"></p><button id="send">Continue</button>
</form>
<form data-snag-form="variants" onsubmit="event.preventDefault()"><input name="id" value="4711">
  <select name="size"><option>S<option>M</select>
  <button name="add">Add</button></form>
<form class="unnamed"><input name="id"></form>
<form role="search"><input name="q"></form>
<div id="later"></div>
"""
CLICKS: Final = """
<button id="nothing">Nothing</button> <button id="plus">+</button> <button id="changes">Changes</button>
<button id="asks">Asks</button> <button id="scrolls">Scrolls</button>
<button aria-label="Edit anna@shop.example">Edit</button>
<a id="file" href="/file" download>File</a> <a id="mail" href="mailto:a@b.example">Mail</a>
<input id="text" value="some words"> <canvas id="canvas" width="20" height="20"></canvas>
<p data-snag-ignore><button id="ignored">Ignored</button></p>
<div style="height: 4000px"></div>
<script>
  const does = (id, what) => (document.getElementById(id).onclick = what);
  does("changes", () => document.body.dataset.clicked = Math.random());
  does("asks", () => void fetch("/slow"));
  does("scrolls", () => scrollBy(0, 10));
  for (const id of ["file", "mail"]) does(id, (click) => click.preventDefault());
</script>
"""


@pytest.fixture(scope="module")
def collector(
    kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[CollectorProcess]:
    chromium(pytestconfig)  # skips before anything is started
    with sdk_collector(tmp_path_factory.mktemp("sdk-facts"), kafka.bootstrap) as running:
        yield running


@pytest.fixture(scope="module")
def site(collector: CollectorProcess) -> Iterator[str]:
    address = f"http://127.0.0.1:{collector.port}"
    pages = {path: tagged_page(address, "", body) for path, body in (("/forms", FORMS), ("/clicks", CLICKS))}
    pages["/bare"] = (200, "text/html", b'<!doctype html><link rel="icon" href="data:,">')
    pages["/slow"] = (200, JSON, b"{}")
    pages["/fails"] = (500, JSON, b"{}")
    with http_server(page_handler(pages)) as running:
        yield running


@pytest.fixture(scope="module")
def browser(collector: CollectorProcess, pytestconfig: pytest.Config) -> Iterator[Browser]:
    with playwright() as started, launched(started, pytestconfig) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, collector: CollectorProcess) -> Iterator[TopicVisit]:
    context = browser.new_context(viewport={"width": 800, "height": 600})
    yield TopicVisit(context, collector)
    context.close()


def refused(events: list[Event]) -> list[tuple[Any, ...]]:
    """Form, field and reason of each field error."""
    return [(e.props["form"], e.props["field"], e.message) for e in of_type(events, "form_error")]


def test_fields_that_are_wrong_from_the_start_before_any_input_and_later(visit: TopicVisit, site: str) -> None:
    page = visit.open(f"{site}/forms")
    marked = ("address", "zip", "aria-invalid")
    assert refused(visit.wait("form_error")) == [marked]  # as the server sent it; the ignored one is not looked at
    page.click("#send")  # nothing was typed, and the street is required
    missing = ("address", "street", "valueMissing")
    assert refused(visit.wait("form_error", "form_error")) == [marked, missing]
    page.evaluate(
        "document.getElementById('later').innerHTML = '<form id=f><input name=card aria-invalid=true></form>'"
    )
    page.fill("[name=street]", "Main 1")
    for _ in range(3):  # a page that checks at every key
        page.evaluate("document.querySelector('[name=email]').setAttribute('aria-invalid', 'true')")
    page.fill("[name=email]", "wrong")
    page.locator("[name=email]").blur()
    page.evaluate("document.querySelector('[name=email]').setAttribute('aria-invalid', 'true')")
    again = ("address", "email", "aria-invalid")
    found = refused(visit.wait(*["form_error"] * 5, *["form_field"] * 2))
    assert found == [marked, missing, ("f", "card", "aria-invalid"), again, again]
    assert of_type(visit.events(), "form_submit") == []
    assert {event.kind for event in of_type(visit.events(), "form_error")} == {"error"}
    assert "wrong" not in str([event.props for event in visit.events()])


def test_a_form_left_while_a_field_is_being_typed_in_is_given_up(visit: TopicVisit, site: str) -> None:
    page = visit.open(f"{site}/forms")
    page.locator("[name=street]").press_sequentially("Ma")
    page.evaluate("document.querySelector('[name=q]').dispatchEvent(new Event('input', {bubbles: true}))")
    page.close(run_before_unload=False)
    events = visit.wait("form_start", "form_abandon", "page_leave")
    assert [event.props for event in of_type(events, "form_start")] == [{"form": "address", "field": "street"}]
    [given_up] = of_type(events, "form_abandon")
    assert given_up.props == {"form": "address", "field": "street", "filled": 1, "total": 4}


def test_a_form_with_a_field_called_id_has_a_name(visit: TopicVisit, site: str) -> None:
    page = visit.open(f"{site}/forms")
    page.select_option("[name=size]", "M")
    page.fill(".unnamed [name=id]", "7")
    page.click("[name=add]")
    events = visit.wait("form_start", "form_start", "form_field", "click", "form_submit")
    assert {event.props["form"] for event in of_type(events, "form_start")} == {"variants", "form.unnamed"}
    assert of_type(events, "form_submit")[0].props == {"form": "variants"}
    assert "object" not in str([event.element for event in events])


def test_clicks_that_are_no_rage_and_not_dead(visit: TopicVisit, site: str) -> None:
    page = visit.open(f"{site}/clicks")
    page.evaluate("window.told = []; void snag.on('friction', f => told.push(f.signal + ' ' + f.element))")
    for selector in ("#plus", "#text"):
        page.click(selector, click_count=3)
    for selector in ("#changes", "#asks", "#scrolls", "#file", "#mail", "#canvas", "#ignored"):
        page.click(selector)
    page.click("[aria-label]")
    page.keyboard.press("Enter")  # a click without a place
    page.click("#nothing", click_count=3)
    page.wait_for_function("told.includes('dead_click button#nothing')")
    told = Counter(page.evaluate("told"))
    assert told["rage_click button#nothing"] == 1
    assert {signal for signal in told if signal.startswith("rage")} == {"rage_click button#nothing"}
    dead = {event.element for event in of_type(visit.wait("dead_click", "dead_click"), "dead_click")}
    assert "button#nothing" in dead
    assert not dead & {"button#changes", "button#asks", "button#scrolls", "a#file", "a#mail", "canvas#canvas"}
    assert "anna" not in str(visit.events())


def test_an_error_after_a_click_is_told_with_the_clicks_element(visit: TopicVisit, site: str) -> None:
    page = visit.open(f"{site}/clicks")
    page.evaluate(
        "window.told = []; void snag.on('friction', f => told.push(f.signal + ' ' + f.element));"
        "document.getElementById('nothing').onclick = () => { throw new Error('broken') };"
        "document.getElementById('plus').onclick = () => void fetch('/fails')"
    )
    page.click("#nothing")
    page.wait_for_function("told.includes('error_click button#nothing')")
    page.click("#plus")
    page.wait_for_function("told.includes('error_click button#plus')")
    assert page.evaluate("told.filter(t => t === 'error_click button#nothing').length") == 1
    visit.wait("click", "js_error", "click", "http_error")


def test_a_request_that_fails_late_is_the_fault_of_the_click_that_made_it(visit: TopicVisit, site: str) -> None:
    page = visit.open(f"{site}/clicks")
    page.evaluate(
        "window.told = []; void snag.on('friction', f => told.push(f.signal + ' ' + f.element));"
        "document.getElementById('plus').onclick = () => void fetch('/fails'); true"
    )
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route(f"{site}/fails", hold)
    page.click("#plus")
    wait_for(lambda: page.wait_for_timeout(20) is None and held, DEADLINE_S, "the request")
    page.evaluate(f"new Promise(done => setTimeout(done, {ACTION_MS} + 100))")
    held.pop().continue_()
    page.wait_for_function("told.includes('error_click button#plus')")
    page.click("#plus")
    wait_for(lambda: page.wait_for_timeout(20) is None and held, DEADLINE_S, "the request")
    page.evaluate("new Promise(done => setTimeout(done))")
    page.click("#changes")  # while it runs: not to blame
    held.pop().continue_()
    events = visit.wait("click", "click", "click", "http_error", "http_error")
    assert "error_click button#changes" not in page.evaluate("told")
    clicks, errors = of_type(events, "click"), of_type(events, "http_error")
    began = errors[0].ts.timestamp() * 1000 - errors[0].props["duration_ms"]
    assert errors[0].props["duration_ms"] > ACTION_MS
    assert -1 <= began - clicks[0].ts.timestamp() * 1000 <= ACTION_MS


def test_requests_that_failed_are_told_once_and_the_pages_own_endings_are_not(visit: TopicVisit, site: str) -> None:
    page = visit.open(f"{site}/clicks")
    reused = (
        "new Promise(done => { window.shared ||= new XMLHttpRequest();"
        " shared.open('post', '/fails?n=1'); shared.onloadend = done; shared.send() })"
    )
    page.evaluate(reused)
    page.evaluate(reused)
    with http_server(page_handler({})) as gone:
        pass  # an address at which nobody listens any more
    page.route(f"{site}/broken", lambda route: route.abort())
    name = "fetch('{}').then(() => '', (error) => error.name)"
    assert page.evaluate(name.format("/broken")) == "TypeError"
    assert page.evaluate(name.format(f"{gone}/elsewhere")) == "TypeError"
    assert page.evaluate(name.format("http://[")) == "TypeError"
    stopped = (
        "(() => { const stop = new AbortController(); stop.abort(); return fetch('/slow', {signal: stop.signal}) })()"
    )
    assert page.evaluate(f"{stopped}.catch((error) => error.name)") == "AbortError"
    page.evaluate("snag.track('done')")
    events = visit.wait("http_error", "http_error", "network_error", "done")
    failed = [(e.type, e.message) for e in events if e.type in ("http_error", "network_error")]
    assert failed == [("http_error", "POST /fails 500")] * 2 + [("network_error", "GET /broken failed")]


def test_how_far_a_page_was_scrolled(visit: TopicVisit, site: str) -> None:
    page = visit.open(f"{site}/clicks")
    page.mouse.wheel(0, 1500)
    page.wait_for_function("scrollY > 1000")
    seen = page.evaluate("Math.round(100 * (scrollY + innerHeight) / document.documentElement.scrollHeight)")
    [scroll] = of_type(visit.wait("scroll"), "scroll")
    assert abs(scroll.props["depth"] - seen) <= 10
    page.goto(f"{site}/bare")
    assert len(of_type(visit.wait("page_leave"), "scroll")) == 1
