"""The collector's real application in the test's own process, with its real spool, and no Kafka to reach."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.app import App, create_app
from ingest.spool.frame import Record, scan
from schemas.settings import IngestSettings, KafkaSettings, Settings

NOWHERE = "127.0.0.1:1"  # nothing listens on port 1


@dataclass(frozen=True)
class Answer:
    """What the application answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class InProcess:
    """One application with its event loop; everything it takes is in the spool of `directory` when it is answered."""

    def __init__(self, app: App, runner: asyncio.Runner, directory: Path) -> None:
        self._app = app
        self._runner = runner
        self._directory = directory

    def request(
        self,
        method: str,
        path: str,
        *,
        query: bytes = b"",
        headers: Mapping[bytes, bytes] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send one request. An exception of the application is the test's."""
        return self._runner.run(self._request(method, path, query, list((headers or {}).items()), body))

    def spooled(self) -> list[Record]:
        """Every record that was made durable."""
        files = sorted(self._directory.rglob("*.seg"))
        return [record for file in files for record, _ in scan(file.read_bytes()).records]

    async def _request(
        self, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> Answer:
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "scheme": "https",
            "path": path,
            "query_string": query,
            "headers": headers,
            "client": ("192.0.2.1", 1234),
        }
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        start, *parts = sent
        return Answer(start["status"], start["headers"], b"".join(part.get("body", b"") for part in parts))


@contextmanager
def in_process(directory: Path, **ingest: Any) -> Iterator[InProcess]:
    """The application between the start and the end of its lifespan; `ingest` are settings of that section."""
    settings = Settings(
        kafka=KafkaSettings(bootstrap=NOWHERE),
        ingest=IngestSettings(spool_dir=directory / "spool", linger_ms=0, **ingest),
    )
    app = create_app(settings)
    # Without Kafka: its client leaves sockets of failed attempts to the garbage collector, which warns of them.
    app._storage.kafka.start = lambda: None  # type: ignore[method-assign]
    with asyncio.Runner() as runner:
        stop: asyncio.Event | None = None
        finished: asyncio.Task[None] | None = None

        async def start() -> None:
            nonlocal stop, finished
            stop = asyncio.Event()
            started = asyncio.Event()
            steps = iter(({"type": "lifespan.startup"},))

            async def receive() -> dict[str, Any]:
                message = next(steps, None)
                if message is None:
                    assert stop is not None
                    await stop.wait()
                    return {"type": "lifespan.shutdown"}
                return message

            async def send(message: Any) -> None:
                assert "failed" not in message["type"], message
                started.set()

            finished = asyncio.get_running_loop().create_task(app({"type": "lifespan"}, receive, send))
            await started.wait()

        async def end() -> None:
            assert stop is not None
            assert finished is not None
            stop.set()
            await finished

        runner.run(start())
        try:
            yield InProcess(app, runner, directory)
        finally:
            runner.run(end())
