"""A real browser in a small shop: what the page posts, also while it is left, is in Kafka and in ClickHouse once."""

from __future__ import annotations

import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.topics import RAW
from snag.subscribe import follow
from tests.support.browser import FLAGS, chromium, file_server
from tests.support.running import running_stack
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(600)]

SHOP = Path(__file__).parent / "shop"
DEADLINE_S = 60
# type of each event in the order in which the page makes them
STORY = (
    *("page_view", "product_viewed", "product_added", "page_leave"),
    *("page_view", "checkout_started", "shipping", "payment", "page_leave"),
    *("page_view", "order_completed", "page_leave"),
)


def walk_through(page: Page, address: str) -> None:
    """View the product, put it into the cart, check out, order, leave."""

    def accepted(count: int) -> None:
        page.wait_for_function(f"Number(document.body.dataset.accepted || 0) === {count}")

    page.goto(address)
    accepted(2)
    page.click("#add")
    accepted(3)
    page.click("#next")
    page.wait_for_url("**/checkout.html")
    accepted(2)
    page.click("#ship")
    accepted(3)
    page.click("#pay")
    accepted(4)
    page.click("#next")
    page.wait_for_url("**/done.html")
    accepted(2)
    page.goto("about:blank")  # leaves the shop: the last beacon


def test_a_visit_to_the_shop_is_in_kafka_and_clickhouse_once(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    browser_path = chromium(pytestconfig)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not needed where the test is skipped

    visitor = f"b-{uuid.uuid4().hex[:8]}"
    expected = {f"{visitor}-{number}": type_ for number, type_ in enumerate(STORY)}
    complaints: list[str] = []
    with running_stack(tmp_path) as stack, file_server(SHOP) as shop, sync_playwright() as playwright:
        collector = stack.status()["collector"]
        browser = playwright.chromium.launch(executable_path=browser_path, headless=True, args=list(FLAGS))
        page = browser.new_page()
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        walk_through(page, f"{shop}/index.html?collector={collector}&visitor={visitor}")
        query = " UNION ALL ".join(
            f"SELECT event_id, type FROM {table} FINAL WHERE visitor_id = '{visitor}'"
            for table in ("clickstream", "checkouts")
        )
        wait_for(
            lambda: sorted((row["event_id"], row["type"]) for row in stack.query(query)) == sorted(expected.items()),
            DEADLINE_S,
            "every event of the visit is in ClickHouse once, under its own id",
        )
        browser.close()
        assert complaints == []

        in_kafka: dict[str, dict[str, Any]] = {}
        with closing(follow(stack.status()["kafka"], RAW, prefix="", from_start=True)) as records:
            for record in records:
                events = map(orjson.loads, record.lines())
                in_kafka |= {event["event_id"]: event for event in events if event.get("visitor_id") == visitor}
                if len(in_kafka) >= len(expected):
                    break
        assert {event_id: event["type"] for event_id, event in in_kafka.items()} == expected
        assert {event["session_id"] for event in in_kafka.values()} == {f"s-{visitor}"}
        assert all(event["url"].startswith(shop) for event in in_kafka.values())
        assert in_kafka[f"{visitor}-10"]["props"] == {"value": 84.9}
        assert all(event["is_bot"] and event["device"] == "desktop" for event in in_kafka.values())  # it is headless
        attempt = f"SELECT state, step_reached FROM funnel_attempts FINAL WHERE visitor_id = '{visitor}'"
        wait_for(
            lambda: stack.query(attempt) == [{"state": "converted", "step_reached": 5}],
            DEADLINE_S,
            "the attempt converted",
        )
