"""The shop as a process: it serves, customers come, and it ends with SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote

import aiohttp
import uvicorn

from deploy.local.ports import is_free
from snag.browser_sdk import script_tag, shipped
from snag.client import Collector
from snag.demo import history
from snag.demo.customers import come, plain_visit
from snag.demo.intent import seeded
from snag.demo.shop import create_shop
from snag.demo.state import switches_of
from snag.demo.transport import OverHttp
from snag.ndjson import batches
from snag_sdk import Client
from snag_sdk.testing import RecordingClient

_AT_ONCE: Final = 2000
_CLOSES_WITHIN_S: Final = 10  # the slowest page takes 6 s when it is broken
_BATCH_EVENTS: Final = 2000  # the collector takes 2500
_BATCH_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Demo:
    """What is to be run: the shop on `port` (0: any) beside `collector`, with `rate` customers a second, 0 for none."""

    data_dir: Path
    collector: str
    write_key: str
    port: int
    rate: float
    with_history: bool

    @property
    def endpoint(self) -> str:
        """Where the pages' script posts events."""
        return endpoint_of(self.collector, self.write_key)

    def tag(self) -> str:
        """The script tag of every page: the one line that a shop needs."""
        return script_tag(shipped(), self.collector, self.write_key, frozen=False)


def endpoint_of(collector: str, write_key: str) -> str:
    """Where the script tag's events go."""
    return f"{collector}/s?writeKey={quote(write_key)}"


class _Server(uvicorn.Server):
    """Leaves signals alone: `serve` heeds them. Uvicorn's own raises them again when it has ended."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(demo: Demo, on_ready: Callable[[str], None], say: Callable[[str], None]) -> None:
    """Run the shop until SIGINT or SIGTERM; `on_ready` gets its address. A port that is taken is left alone."""
    switches = switches_of(demo.data_dir)
    with Client(demo.write_key, host=demo.collector, release="demo") as client, _told_to_stop() as stop:
        app = create_shop(script_tag=demo.tag(), collector=demo.collector, client=client, switches=switches)
        port = demo.port if is_free(demo.port) else 0
        if port != demo.port:
            say(f"port {demo.port} is taken, the shop moves")
        config = uvicorn.Config(
            *(app, "127.0.0.1", port), log_level="warning", lifespan="off", timeout_graceful_shutdown=_CLOSES_WITHIN_S
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            if serving.done():
                raise OSError(
                    f"The shop cannot listen on port {demo.port}. Choose another one with: snag demo --port 0"
                )
            await asyncio.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        busy = asyncio.create_task(_fill(demo, address, lambda: on_ready(address), say))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopped, busy}, return_when=asyncio.FIRST_COMPLETED)
            if busy.done():  # without customers when the past is told; the shop stays open
                busy.result()
                await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            busy.cancel()
            stopped.cancel()
            await asyncio.gather(busy, stopped, return_exceptions=True)
            server.should_exit = True
            await serving


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """Set at the first SIGINT or SIGTERM; a second one does what it did before."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def heed() -> None:
        stop.set()
        leave()

    def leave() -> None:
        for number, handler in before.items():
            if loop.remove_signal_handler(number):
                signal.signal(number, handler)

    for number in before:
        loop.add_signal_handler(number, heed)
    try:
        yield stop
    finally:
        leave()


async def _fill(demo: Demo, address: str, on_ready: Callable[[], None], say: Callable[[str], None]) -> None:
    """The past, then the customers of now, for as long as the shop is open."""
    random = seeded()
    if demo.with_history:
        say("telling of two hours of ordinary customers ..")
        count = await _tell_history(demo, random)
        say(f"told {count:,} events")
    on_ready()
    if demo.rate:
        async with aiohttp.ClientSession() as session:
            visit = plain_visit(OverHttp(session, address, demo.endpoint))
            await come(visit, random, rate=demo.rate, count=None, at_once=_AT_ONCE)


async def _tell_history(demo: Demo, random: Random) -> int:
    nothing_broken = switches_of(demo.data_dir / "never")
    app = create_shop(
        script_tag=demo.tag(), collector=demo.collector, client=RecordingClient(), switches=nothing_broken
    )
    walks = await history.recorded(app, random)
    return await asyncio.to_thread(_send, demo, walks, random)


def _send(demo: Demo, walks: list[list[dict[str, object]]], random: Random) -> int:
    count = 0
    with Collector(demo.collector, demo.write_key) as collector:
        events = history.told(walks, time.time() - 1, random)
        for batch in batches(events, max_events=_BATCH_EVENTS, max_bytes=_BATCH_BYTES):
            count += collector.send(batch).accepted
    return count
