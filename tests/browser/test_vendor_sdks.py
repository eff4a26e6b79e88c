"""Other vendors' browser libraries in a real browser, told nothing but our address: events flow, nothing complains.

They are the vendors' own npm packages. Every request they make comes to us, and the console stays silent.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from deploy.local.kafka.topics import create_topics
from schemas.event import Event
from tests.contract.test_ingest_http import CollectorProcess, read_events
from tests.support.browser import FLAGS, chromium, file_server
from tests.support.npm import installed_packages
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(300)]

PAGES = Path(__file__).parent / "vendors"

# posthog-js keeps silent in a browser that says it is driven by a program; this one has to pass for a person's. The
# agent is the whole browser's: one emulated for a page is lifted before `pagehide`, and no $pageleave would be sent.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
A_PERSONS = """
Object.defineProperty(navigator, "webdriver", { get: () => false });
Object.defineProperty(navigator, "userAgentData", { get: () => undefined });
"""
DEADLINE_S = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The pages and the packages they load, on an origin of their own."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(PAGES, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(installed_packages() / "node_modules")
    (folder / "favicon.ico").touch()
    with file_server(folder) as address:
        yield address


@pytest.fixture
def collector(kafka: KafkaServer, tmp_path: Path) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path / "collector", kafka.bootstrap)
    create_topics(process.kafka)
    process.start()
    try:
        process.wait_ready()
        yield process
    finally:
        process.stop()


class Visit:
    """One page in a browser: what it asked for, and what it complained about."""

    def __init__(self, page: Page, collector: CollectorProcess, url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self._collector = collector
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("response", self._answered)
        page.goto(f"{url}?address=http://127.0.0.1:{collector.port}&key=wk_local")

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def wait_for(self, *types: str) -> dict[str, Event]:
        """The newest event of each type, once all are in Kafka."""

        def found() -> dict[str, Event]:
            self.page.wait_for_timeout(200)  # the browser's own events are handled while this waits
            return {event.type: event for event in read_events(self._collector.kafka)}

        try:
            wait_for(lambda: set(types) <= set(found()), DEADLINE_S, f"{types} are in Kafka")
        except AssertionError as error:
            error.add_note(f"there are {sorted(found())}; the page asked for {self.asked} and said {self.complaints}")
            metrics = self._collector.get("/metrics").body.decode().splitlines()
            error.add_note("\n".join(line for line in metrics if line.startswith("snag_ingest_requests_total")))
            raise
        return found()


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("posthog-module", ("page_view", "checkout_started", "click")),
        ("posthog-snippet", ("page_view", "checkout_started", "click")),
        ("segment", ("page_view", "identify", "checkout_started")),
        ("rudder", ("page_view", "identify", "checkout_started")),
    ],
)
def test_a_library_that_knows_nothing_but_our_address(
    name: str, types: tuple[str, ...], site: str, collector: CollectorProcess, pytestconfig: pytest.Config
) -> None:
    browser_path = chromium(pytestconfig)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not needed where the test is skipped

    url = f"{site}/{name}.html"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, headless=True, args=[*FLAGS, f"--user-agent={AGENT}"]
        )
        page = browser.new_page()
        page.add_init_script(A_PERSONS)
        visit = Visit(page, collector, url)
        visit.wait_for("page_view", "checkout_started")
        if "click" in types:
            visit.page.click("#pay")
        found = visit.wait_for(*types)
        if "click" in types:
            visit.page.goto("about:blank")
            left = visit.wait_for("page_leave")["page_leave"]
            assert (left.url, left.visitor_id) == (found["page_view"].url, found["page_view"].visitor_id)
        browser.close()

    assert visit.complaints == []
    hosts = {urlsplit(asked).netloc for asked in visit.asked if asked.startswith("http")}
    assert hosts == {urlsplit(site).netloc, f"127.0.0.1:{collector.port}"}
    started = found["checkout_started"]
    assert (started.props["order_id"], started.props["value"]) == ("o1", 30.5)
    assert started.props["checkout_id"] == "o1"
    assert found["page_view"].url.startswith(url)
    assert (found["page_view"].path, found["page_view"].title) == (f"/{name}.html", "Cart")
    assert len({found[type_].visitor_id for type_ in types}) == 1
    assert found["page_view"].visitor_id != ""
    if "click" in types:
        assert (found["click"].element, found["click"].props["text"]) == ("button#pay", "Pay")
    if "identify" in types:
        assert (found["identify"].user_id, found["identify"].props["plan"]) == ("user7", "pro")
