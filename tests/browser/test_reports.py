"""The reports that a real browser sends by itself, once: each one that was taken is there once, on bad days too."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from tests.browser.test_format_pages import browser
from tests.contract.test_clients import ARRIVAL_DEADLINE_S, BAD_DAYS, Pipeline, pipeline
from tests.support.browser import http_server, page_handler
from tests.support.forwarder import forwarder
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(400)]

__all__ = ["browser", "pipeline"]  # fixtures

REPORTS: Final = 100
# Images that the policy forbids, one every 30 ms: three seconds, in the middle of which the collector dies.
PAGE: Final = b"""<!doctype html><title>Shop</title><link rel="icon" href="data:,">
<script>
  let made = 0;
  const violate = () => (new Image().src = `https://images.example${location.pathname}-${made++}-.png`);
  const timer = setInterval(() => (made < 100 ? violate() : clearInterval(timer)), 30);
</script>"""


@pytest.mark.parametrize("scenario", ["nothing", "429", "503", "kill"])
def test_each_report_that_was_taken_is_there_once(scenario: str, pipeline: Pipeline, browser: Browser) -> None:
    run = uuid.uuid4().hex
    with forwarder(pipeline.collector.port, BAD_DAYS.get(scenario, ())) as front:
        policy = f"img-src data:; report-uri {front.address}/v1/reports?writeKey=wk_local"
        answers = {f"/{run}": (200, "text/html", PAGE)}
        with http_server(page_handler(answers, [("Content-Security-Policy", policy)])) as shop:
            page = browser.new_context().new_page()
            page.goto(f"{shop}/{run}")
            if scenario == "kill":
                wait_for(lambda: bool(front.acknowledged), ARRIVAL_DEADLINE_S, "a report was taken")
                pipeline.collector.kill()
                pipeline.collector.start()
            page.wait_for_function(f"made === {REPORTS}")
            page.evaluate("violate()")
            wanted = [named(run, n) for n in (range(REPORTS + 1) if scenario == "nothing" else (REPORTS,))]
            wait_for(lambda: all(map(front.was_acknowledged, wanted)), ARRIVAL_DEADLINE_S, "reports are taken")
            page.context.close()
    taken = {name for n in range(REPORTS + 1) if front.was_acknowledged(name := named(run, n))}
    if BAD_DAYS.get(scenario):
        assert set(front.statuses) & {429, 503}

    def stored() -> Counter[str]:
        return Counter(message.rpartition("/")[2].removesuffix(".png") for message in pipeline.messages(run))

    wait_for(lambda: taken <= stored().keys(), ARRIVAL_DEADLINE_S, f"{len(taken)} reports are rows")
    assert set(stored().values()) == {1}


def named(run: str, number: int) -> str:
    """What stands in a report for the image with this number."""
    return f"{run}-{number}-"
