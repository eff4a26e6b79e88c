"""Other vendors' scripts in a real page, told nothing but our address: all they send arrives once, on bad days too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import pytest

from tests.contract.test_clients import ARRIVAL_DEADLINE_S, BAD_DAYS, Pipeline, pipeline, wait_for_rows
from tests.support.browser import FLAGS, bundled, chromium, http_server, page_handler
from tests.support.forwarder import Forwarder, forwarder
from tests.support.npm import CLIENTS
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(400)]

__all__ = ["pipeline"]  # a fixture

ROUNDS: Final = 3
ROUNDS_OF_A_KILL: Final = 30  # three seconds and more: the collector dies in the middle of them
TYPES_OF_A_ROUND: Final = ("page_view", "product_added", "checkout_started", "payment", "order_completed")
# Where an event's own id stands in a body: Sentry names those of earlier events too, and a vital's is of id and value.
IDS: Final = {"snowplow": '"eid":"%s"', "sentry": '{"event_id":"%s"', "vitals": '"id":"%s"'}
PAGE: Final = b"""<!doctype html><title>Shop</title><link rel="icon" href="data:,"><h1>Cart</h1>
<script type="module" src="/page.js"></script>"""


@dataclass
class Visit:
    """A page at work."""

    page: Page
    front: Forwarder
    complaints: list[str] = field(default_factory=list)

    def sent(self, what: str) -> list[str]:
        """Ids of what was sent so far: by `snowplow`, `sentry` or `vitals`."""
        found: list[str] = self.page.evaluate(f"sent.{what}")
        return found

    def acknowledged(self) -> set[str]:
        """Those of them that were answered 200."""
        return {
            id_
            for what, needle in IDS.items()
            for id_ in self.sent(what)
            if self.front.was_acknowledged(needle % id_.partition(":")[0])
        }

    def is_through(self) -> bool:
        """Whether the page is done and the tracker, which tries again with its next event or when asked, too."""
        if not self.page.evaluate("sent.done"):
            return False
        if all(self.front.was_acknowledged(id_) for id_ in self.sent("snowplow")):
            return True
        self.page.evaluate("flushBuffer()")
        return False


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(pytestconfig), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program: Path = CLIENTS / "browser_page.mjs"
    answers = {"/": (200, "text/html", PAGE), "/page.js": (200, "text/javascript", bundled(program.read_text()))}
    with http_server(page_handler(answers)) as address:
        yield address


def visit(browser: Browser, shop: str, front: Forwarder, rounds: int) -> Visit:
    visit = Visit(browser.new_context().new_page(), front)
    visit.page.on(
        "console", lambda told: visit.complaints.append(told.text) if told.type in ("warning", "error") else None
    )
    visit.page.on("requestfailed", lambda request: visit.complaints.append(f"{request.url}: {request.failure}"))
    visit.page.goto(f"{shop}/?{urlencode({'address': front.address, 'key': 'wk_local', 'rounds': rounds})}")
    return visit


def test_what_a_page_sends_arrives_as_it_was_sent(pipeline: Pipeline, browser: Browser, shop: str) -> None:
    with forwarder(pipeline.collector.port) as front:
        made = visit(browser, shop, front, ROUNDS)
        wait_for(made.is_through, ARRIVAL_DEADLINE_S, "the tracker is through")
        snowplow, sentry, vitals = (made.sent(what) for what in ("snowplow", "sentry", "vitals"))
        wanted = {*snowplow, *sentry, *vitals}
        wait_for(lambda: made.acknowledged() >= wanted, ARRIVAL_DEADLINE_S, "everything is answered")
        assert made.complaints == []
        made.page.context.close()
    rows = wait_for_rows(pipeline, front, wanted)
    assert Counter(rows[id_]["type"] for id_ in snowplow) == Counter(dict.fromkeys(TYPES_OF_A_ROUND, ROUNDS))
    assert len({(rows[id_]["visitor_id"], rows[id_]["session_id"]) for id_ in snowplow}) == 1
    assert all(rows[id_]["visitor_id"] and rows[id_]["session_id"] for id_ in snowplow)
    assert {row["url"].partition("?")[0] for row in rows.values()} == {f"{shop}/"}
    assert {rows[id_]["type"] for id_ in vitals} == {"web_vital"}
    errors = [rows[id_] for id_ in sentry]
    assert {(row["type"], row["release"], row["error_class"]) for row in errors} == {("js_error", "shop@1.0.0", "js")}
    assert len({row["fingerprint"] for row in errors}) == 1
    assert sorted(row["message"] for row in errors) == [
        f"the cart of round {round_} is empty" for round_ in range(ROUNDS)
    ]
    assert sum(float(row["props"]["value"]) for row in typed(rows, "order_completed")) == 30.5 * ROUNDS
    browsers = {row["browser"] for row in rows.values()}
    assert len(browsers) == 1
    assert browsers != {""}


@pytest.mark.parametrize("scenario", ["429", "503", "kill"])
def test_nothing_of_a_page_is_lost_and_nothing_counts_twice(
    scenario: str, pipeline: Pipeline, browser: Browser, shop: str
) -> None:
    """The tracker tries again; Sentry and beacons send once: of them, what was acknowledged is there."""
    collector = pipeline.collector
    killed = scenario == "kill"
    with forwarder(collector.port, BAD_DAYS.get(scenario, ())) as front:
        made = visit(browser, shop, front, ROUNDS_OF_A_KILL if killed else ROUNDS)
        if killed:
            wait_for(lambda: bool(front.acknowledged), ARRIVAL_DEADLINE_S, "the page was answered once")
            collector.kill()
            collector.start()
        wait_for(made.is_through, ARRIVAL_DEADLINE_S, "the tracker is through")
        snowplow, acknowledged = made.sent("snowplow"), made.acknowledged()
        made.page.context.close()
    assert len(snowplow) == len(TYPES_OF_A_ROUND) * (ROUNDS_OF_A_KILL if killed else ROUNDS)
    assert acknowledged >= set(snowplow)
    rows = wait_for_rows(pipeline, front, acknowledged)
    assert len(typed(rows, "order_completed")) == (ROUNDS_OF_A_KILL if killed else ROUNDS)


def typed(rows: dict[str, dict[str, Any]], type_: str) -> Sequence[dict[str, Any]]:
    """The rows of one type."""
    return [row for row in rows.values() if row["type"] == type_]
