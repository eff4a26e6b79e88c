"""A demo customer's tab in a real browser: a click ends with the page it leads to, however long either takes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from snag.demo.chromium import ChromiumTab
from tests.support.browser import FLAGS, chromium, http_server, page_handler

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PAGE = b"""<!doctype html><title>%s</title><script>window.snag = {version: "1"}</script>
<a id="link" href="/next">next</a> <a id="slow" href="/slow">slow</a> <button id="dead">dead</button>
<form action="/next"><button id="late" disabled>late</button></form>
<script>setTimeout(() => { document.getElementById("late").disabled = false; }, 900)</script>"""
"""`late` cannot be clicked for longer than a click's effect is waited for, and then leads on at once."""


class Pages(page_handler(dict.fromkeys(("/", "/next", "/slow"), (200, "text/html", PAGE)))):  # type: ignore[misc]
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1)
        super().do_GET()


@pytest.fixture
async def page(pytestconfig: pytest.Config) -> AsyncIterator[Page]:
    path = chromium(pytestconfig)
    from playwright.async_api import async_playwright  # noqa: PLC0415 - not needed where the test is skipped

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        yield await browser.new_page()
        await browser.close()


async def test_a_click_ends_where_it_leads(page: Page) -> None:
    with http_server(Pages) as address:
        tab = ChromiumTab(page, address)
        for control, there in (("link", "/next"), ("late", "/next"), ("slow", "/slow"), ("dead", "/")):
            await tab.open("/")
            await tab.follow(control)
            assert await tab.path() == there, control
