"""Customers with a browser: a headless Chromium, a tab and a profile of its own for each."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from snag.demo.customers import Visit
from snag.demo.intent import Intent
from snag.demo.plain_tab import AGENTS
from snag.demo.walk import walk
from snag.errors import SnagError

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Request

AT_ONCE: Final = 4  # a tab is a process of some 100 MB, and a laptop has a few cores

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
_SIZES: Final = {False: (1280, 900), True: (390, 844)}
_DEADLINE_MS: Final = 20_000
_EFFECT_S: Final = 0.5  # a click that has not led on by then leads nowhere, unless a request is under way
_DEAD_AFTER_S: Final = 2.8  # the script calls a click dead after 2.5 s
_RAGE_CLICKS: Final = 4


class NoBrowser(SnagError):
    """There is no Chromium, or nothing to drive it with; the text says how to get it."""


@asynccontextmanager
async def chromium_visit(address: str) -> AsyncIterator[Visit]:
    """Visits of the shop at `address` with a headless Chromium. Raises NoBrowser."""
    path = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise NoBrowser("There is no Chromium on PATH. Install it with: apt-get install chromium; or use --plain.")
    try:
        from playwright.async_api import async_playwright  # noqa: PLC0415  not needed without a browser
    except ImportError as error:
        raise NoBrowser(
            "Python cannot drive Chromium. Install what it needs with: pip install playwright; or use --plain."
        ) from error
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, headless=True, args=list(_FLAGS), ignore_default_args=["--enable-automation"]
        )

        async def visit(intent: Intent) -> str:
            return await _one(browser, address, intent)

        yield visit
        await browser.close()


async def _one(browser: Browser, address: str, intent: Intent) -> str:
    width, height = _SIZES[intent.on_phone]
    # These are customers, as far as the shop's figures go; a headless browser that says so is counted as a bot.
    context = await browser.new_context(
        user_agent=AGENTS[intent.on_phone], viewport={"width": width, "height": height}, has_touch=intent.on_phone
    )
    await context.add_init_script("Object.defineProperty(Navigator.prototype, 'webdriver', {get: () => false})")
    context.set_default_timeout(_DEADLINE_MS)
    try:
        return await walk(ChromiumTab(await context.new_page(), address), intent, time.monotonic)
    finally:
        await context.close()


class ChromiumTab:
    """A tab of a real browser."""

    def __init__(self, page: Page, address: str) -> None:
        self._page, self._address = page, address

    async def open(self, path: str) -> None:
        """See Tab."""
        await self._page.goto(self._address + path)
        await self._settle()

    async def path(self) -> str:
        """See Tab."""
        return urlsplit(self._page.url).path

    async def has(self, control: str) -> bool:
        """See Tab."""
        return await self._page.locator(f"#{control}").count() > 0

    async def follow(self, control: str) -> None:
        """See Tab."""
        begun, came = asyncio.Event(), asyncio.Event()

        def on_request(request: Request) -> None:
            if request.is_navigation_request():
                begun.set()

        def on_content(_: Page) -> None:
            came.set()

        # Heard from before the click on: the next page may be there before the click has returned.
        self._page.on("request", on_request)
        self._page.on("domcontentloaded", on_content)
        try:
            await self._page.locator(f"#{control}").click()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(came.wait(), _EFFECT_S)
            if begun.is_set():
                await asyncio.wait_for(came.wait(), _DEADLINE_MS / 1000)
            else:
                await asyncio.sleep(_DEAD_AFTER_S)
        finally:
            self._page.remove_listener("request", on_request)
            self._page.remove_listener("domcontentloaded", on_content)
        await self._settle()

    async def send(self, control: str, **fields: str) -> None:
        """See Tab."""
        for name, value in fields.items():
            await self._page.fill(f"#{name}", value)
        await self.follow(control)

    async def rage(self, control: str) -> None:
        """See Tab."""
        place = self._page.locator(f"#{control}" if control else "h1").first
        for _ in range(_RAGE_CLICKS):
            await place.click(no_wait_after=True)
        await asyncio.sleep(_DEAD_AFTER_S)

    async def think(self, seconds: float) -> None:
        """See Tab."""
        await asyncio.sleep(seconds)

    async def leave(self) -> None:
        """See Tab."""
        await self._page.goto("about:blank")
        await self._page.close()

    async def _settle(self) -> None:
        await self._page.wait_for_function("window.snag && snag.version")
