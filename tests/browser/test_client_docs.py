"""docs/clients.md is true: each of its blocks, run as it stands against a running collector, sends an event."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from deploy.local.kafka.topics import create_topics
from ingest.adapters.adapter import Adapter
from ingest.adapters.registry import SERVED
from schemas.routes import ROUTES
from tests.contract.test_ingest_http import CollectorProcess
from tests.support.browser import FLAGS, bundled, chromium, http_server, page_handler
from tests.support.npm import installed_packages
from tests.support.stack import KafkaServer
from tests.support.tls import Certificate, https_front
from tests.support.wait import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(300)]

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "clients.md"
ADDRESS: Final = "127.0.0.1:8080"  # the collector's, in the document
DEADLINE_S: Final = 60
# posthog-js sends nothing of a browser that is driven by a program.
NO_ROBOT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
NOT_DRIVEN: Final = "Object.defineProperties(navigator, {webdriver: {value: false}, userAgentData: {value: undefined}})"
PAGE: Final = '<!doctype html><title>Shop</title><link rel="icon" href="data:,"><h1>Cart</h1><button>Pay</button>'


@dataclass(frozen=True)
class Block:
    """One fenced block: what it is, where it runs, and the route that it sends to."""

    language: str
    place: str
    route: str
    code: str

    def __str__(self) -> str:
        return f"{self.route}-{self.language}-{self.place}".rstrip("-")

    def at(self, port: int) -> str:
        """The code with the collector's real port."""
        return self.code.replace(ADDRESS, f"127.0.0.1:{port}")


def blocks() -> list[Block]:
    found = []
    for language, words, code in re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S):
        attributes = dict(word.split("=", 1) for word in words.split())
        if "route" in attributes:
            found.append(Block(language, attributes.get("in", ""), attributes["route"], code))
    return found


BLOCKS: Final = [block for block in blocks() if block.language != "http"]
(HEADERS,) = (block for block in blocks() if block.language == "http")


@pytest.fixture(scope="module")
def collector(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    collector = CollectorProcess(tmp_path_factory.mktemp("docs"), kafka.bootstrap)
    create_topics(collector.kafka)
    collector.start()
    try:
        collector.wait_ready()
        yield collector
    finally:
        collector.stop()


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return Certificate()


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config, certificate: Certificate) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with sync_playwright() as playwright:
        pin = f"--ignore-certificate-errors-spki-list={certificate.pin}"
        arguments = [*FLAGS, pin, "--short-reporting-delay"]
        browser = playwright.chromium.launch(executable_path=chromium(pytestconfig), args=arguments)
        yield browser
        browser.close()


def accepted(collector: CollectorProcess, route: str) -> float:
    """How many events of `route` the collector has taken."""
    lines = collector.get("/metrics").body.decode().splitlines()
    samples = [line for line in lines if line.startswith("snag_ingest_events_accepted_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in samples if f'route="{route}"' in line)


def test_every_format_is_in_the_document() -> None:
    described = {block.route for block in (*BLOCKS, HEADERS)}
    text = DOCUMENT.read_text()
    formats = {served.name for served in SERVED if isinstance(served, Adapter)} - {
        "events",
        "forget",
    }  # no other vendor's
    assert {name for name in formats - described if ROUTES[name].paths[0] not in text} == set()


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.place != "browser" and block.language != "http"], ids=str
)
def test_a_program_sends_an_event(block: Block, collector: CollectorProcess, tmp_path: Path) -> None:
    before = accepted(collector, block.route)
    code = block.at(collector.port)
    if block.language == "js":
        program = installed_packages() / f"docs-{collector.port}-{BLOCKS.index(block)}.mjs"
        program.write_text(code)
        command = ["node", str(program)]
    else:
        program = tmp_path / "program"
        program.write_text(code)
        command = ["sh", str(program)] if block.language == "sh" else [sys.executable, str(program)]
    try:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    finally:
        program.unlink()
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stdout, done.stdout
    wait_for(lambda: accepted(collector, block.route) > before, DEADLINE_S, f"an event of {block}")


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.place == "browser"], ids=str)
def test_a_page_sends_an_event_and_its_console_stays_empty(
    block: Block, collector: CollectorProcess, browser: Browser
) -> None:
    before = accepted(collector, block.route)
    code = block.at(collector.port)
    answers = {"/": (200, "text/html", PAGE.encode() + code.encode())}
    if block.language == "js":
        script = bundled(code)
        answers = {
            "/": (200, "text/html", PAGE.encode() + b'<script type="module" src="/page.js"></script>'),
            "/page.js": (200, "text/javascript", script),
        }
    complaints: list[str] = []
    with http_server(page_handler(answers)) as shop:
        script_runs = "<noscript>" not in code
        context = browser.new_context(java_script_enabled=script_runs, user_agent=NO_ROBOT)
        context.add_init_script(NOT_DRIVEN)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if complains(message) else None)
        page.goto(shop)
        page.click("button")
        page.wait_for_load_state("networkidle")  # a client that asks for its settings has them
        page.goto("about:blank")  # what waits for the page's end is sent now
        wait_for(lambda: accepted(collector, block.route) > before, DEADLINE_S, f"an event of {block}")
        context.close()
    assert complaints == []


def complains(message: ConsoleMessage) -> bool:
    """Whether a page's console shows a warning or an error."""
    return message.type in ("warning", "error")


def test_a_page_without_scripts_reports_what_goes_wrong(
    collector: CollectorProcess, browser: Browser, certificate: Certificate
) -> None:
    block = HEADERS
    before = accepted(collector, block.route)
    with https_front(certificate, collector.port) as reports_port:
        headers = [tuple(line.split(": ", 1)) for line in block.at(reports_port).splitlines()]
        answers = {"/": (200, "text/html", b'<!doctype html><img src="/missing.png"><script>1</script>')}
        with http_server(page_handler(answers, headers)) as shop, https_front(certificate, port_of(shop)) as shop_port:
            context = browser.new_context(java_script_enabled=False)
            context.new_page().goto(f"https://127.0.0.1:{shop_port}/")
            # A violated policy and a missing image, each reported by the browser itself.
            wait_for(lambda: accepted(collector, block.route) >= before + 2, DEADLINE_S, "reports of the browser")
            context.close()


def port_of(address: str) -> int:
    """The port of `http://host:port`."""
    return int(address.rsplit(":", 1)[1])
