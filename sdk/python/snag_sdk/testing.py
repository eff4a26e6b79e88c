"""Clients for tests of the program that uses Snag: they keep events instead of sending them."""

from __future__ import annotations

import json
from typing import Any, Self

from snag_sdk.events_api import EventsApi
from snag_sdk.options import Options


class _Recording(EventsApi):
    """`events` holds what would have been sent, in order."""

    def __init__(self, write_key: str = "wk_test", **options: Any) -> None:
        super().__init__(Options(write_key, **options))
        self.events: list[dict[str, Any]] = []

    def _enqueue(self, event: bytes) -> bool:
        self.events.append(json.loads(event))
        return True


class RecordingClient(_Recording):
    """Takes the place of `Client`: `events` holds what would have been sent, in order."""

    def flush(self, timeout: float | None = None) -> bool:
        """Everything is delivered already."""
        return True

    def shutdown(self, timeout: float | None = None) -> bool:
        """Nothing to stop."""
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


class AsyncRecordingClient(_Recording):
    """Takes the place of `AsyncClient`: `events` holds what would have been sent, in order."""

    async def flush(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  as AsyncClient.flush
        """Everything is delivered already."""
        return True

    async def shutdown(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  as AsyncClient.shutdown
        """Nothing to stop."""
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown()
