"""Visits to pages with the browser SDK: a browser profile, the sessions seen in it, and what of them is in Kafka."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from deploy.local.kafka.topics import create_topics
from schemas.event import Event
from snag.browser_sdk import script_tag, shipped
from tests.contract.test_ingest_http import CollectorProcess, read_events
from tests.support.browser import FLAGS, chromium
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

DEADLINE_S: Final = 90
SECOND_FILE_RAN: Final = "performance.getEntriesByType('resource').some(e => e.name.includes('s-friction-'))"


@contextmanager
def playwright() -> Iterator[Playwright]:
    """Playwright, imported only where a browser is."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not needed where the tests are skipped

    with sync_playwright() as started:
        yield started


@contextmanager
def launched(started: Playwright, config: pytest.Config, *without: str) -> Iterator[Browser]:
    """A headless Chromium that does not call itself automated; `without`: switches of Playwright's to leave out."""
    browser = started.chromium.launch(
        executable_path=chromium(config),
        headless=True,
        args=list(FLAGS),
        ignore_default_args=["--enable-automation", *without],
    )
    yield browser
    browser.close()


@contextmanager
def sdk_collector(directory: Path, bootstrap: str, env: dict[str, str] | None = None) -> Iterator[CollectorProcess]:
    """A collector of its own, with topics of its own; `env`: its settings."""
    collector = CollectorProcess(directory, bootstrap, env)
    create_topics(collector.kafka)
    collector.start()
    try:
        collector.wait_ready()
        yield collector
    finally:
        collector.stop()


def tagged_page(
    collector: str, attributes: str = "", body: str = "", *, frozen: bool = False
) -> tuple[int, str, bytes]:
    """A page with the script tag of `collector`; `attributes` are added to the tag. As `page_handler` wants it."""
    tag = script_tag(shipped(), collector, "wk_local", frozen=frozen).replace("data-key", f"{attributes} data-key")
    html = f'<!doctype html><meta charset=utf-8><link rel="icon" href="data:,"><title>Shop</title>{tag}{body}'
    return 200, "text/html; charset=utf-8", html.encode()


class Visit:
    """One browser profile, its complaints, and the ids of the sessions seen in it."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self.complaints: list[str] = []
        self.sessions: set[str] = set()

    def page(self) -> Page:
        page = self._context.new_page()
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def open(self, address: str, *, friction: bool = True) -> Page:
        """A new tab on the page, with the SDK and (`friction`) its second file at work."""
        page = self.page()
        self.go(page, address, friction=friction)
        return page

    def go(self, page: Page, address: str, *, friction: bool = True) -> None:
        """Take the tab to the page."""
        page.goto(address)
        page.wait_for_function("window.snag && snag.version")
        if friction:
            page.wait_for_function(SECOND_FILE_RAN)
            page.wait_for_load_state("networkidle")
        self.note(page)

    def note(self, page: Page) -> None:
        """Remember the page's session."""
        found = page.evaluate("(sessionStorage['snag.s'] || localStorage['snag.s'] || '').split(' ')[0]")
        if found:
            self.sessions.add(found)

    def cookies(self) -> list[Mapping[str, Any]]:
        """Every cookie of the profile."""
        return [dict(cookie) for cookie in self._context.cookies()]


class TopicVisit(Visit):
    """A visit whose events are looked for in Kafka."""

    def __init__(self, context: BrowserContext, collector: CollectorProcess) -> None:
        super().__init__(context)
        self._kafka = collector.kafka

    def events(self) -> list[Event]:
        """Every event of the visit's sessions in the order of its time; one that was sent twice once."""
        found = {event.event_id: event for event in read_events(self._kafka) if event.session_id in self.sessions}
        return sorted(found.values(), key=lambda event: (event.ts, event.event_id))

    def wait(self, *types: str) -> list[Event]:
        """Wait until each of `types` is there as often as it is named."""
        wanted = Counter(types)

        def complete() -> list[Event]:
            events = self.events()
            return [] if wanted - Counter(event.type for event in events) else events

        return wait_for(complete, DEADLINE_S, f"{dict(wanted)} in Kafka")


def crash(page: Page) -> None:
    """Kill the tab's renderer: no handler of the page runs."""
    from playwright.sync_api import Error  # noqa: PLC0415 - not needed where the tests are skipped

    with page.expect_event("crash"), suppress(Error):  # the target cannot answer any more
        page.goto("chrome://crash")


def of_type(events: list[Event], type_: str) -> list[Event]:
    """Those of one type."""
    return [event for event in events if event.type == type_]
