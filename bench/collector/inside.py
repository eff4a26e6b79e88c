"""`python -m bench.collector.inside`: CPU time of the collector's own code, without sockets, server and Kafka.

The real application in this process, its events acknowledged as soon as the producer would have them. What is left is
reading the request, the events, their verdicts, lines, records and the answer. CPU time, so that other work on the
machine matters little; the best of several rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import random
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.collector import bodies
from ingest.app import App, create_app
from ingest.batcher import Done
from ingest.server import tune_interpreter
from schemas.settings import IngestSettings, Settings

CONNECTIONS: Final = 64  # requests that are under way together
ROUNDS: Final = 40  # short ones: the best is one that nothing disturbed
EVENTS_PER_ROUND: Final = {1: 600, 50: 5_000}


def application(directory: Path) -> App:
    """The collector with a Kafka that acknowledges at the loop's next turn."""
    app = create_app(Settings(ingest=IngestSettings(spool_dir=directory / "spool")))
    kafka = app._storage.kafka

    def send(_topic: str, _partition: int, _value: bytes, _received_at_ms: int, done: Done) -> None:
        asyncio.get_running_loop().call_soon(done, None)

    kafka.send = send  # type: ignore[method-assign]
    kafka.up = True
    kafka.on_change()
    return app


async def post(app: App, body: bytes) -> None:
    """One request, as the server hands it over."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/events",
        "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1:8080"),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            (b"x-write-key", b"wk_local"),
        ],
        "client": ("127.0.0.1", 1234),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"refused: {message}")

    await app(scope, receive, send)


async def one_round(app: App, posted: list[bytes]) -> float:
    """CPU seconds of all of `posted`, CONNECTIONS at a time."""
    waiting = iter(posted)

    async def client() -> None:
        for body in waiting:
            await post(app, body)

    before = time.process_time()
    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return time.process_time() - before


async def measure(app: App, size: int, rounds: int) -> float:
    """CPU microseconds an event in bodies of `size` events: the best round."""
    source = random.Random(size)
    made = [bodies.as_array([bodies.event(source) for _ in range(size)]) for _ in range(bodies.BODIES)]
    requests = EVENTS_PER_ROUND[size] // size
    posted = [made[n % len(made)] for n in range(requests)]
    best = min([await one_round(app, posted) for _ in range(rounds)])
    return best / (requests * size) * 1e6


def main() -> None:
    """Print microseconds an event, and with `--profile` where they go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="print the functions that take most, by cProfile")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="snag-bench-") as name:
        app = application(Path(name))
        tune_interpreter()

        for size in EVENTS_PER_ROUND:
            print(f"{size} events/body: {asyncio.run(measure(app, size, ROUNDS)):.2f} CPU us an event", flush=True)
            if args.profile:
                profile = cProfile.Profile()
                profile.runcall(asyncio.run, measure(app, size, 1))
                pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
