"""A client for tests of the program that uses Snag: it keeps events instead of sending them."""

from __future__ import annotations

import json
from typing import Any

from snag_sdk.events_api import EventsApi
from snag_sdk.options import Options


class RecordingClient(EventsApi):
    """Takes the place of `Client`: `events` holds what would have been sent, in order."""

    def __init__(self, write_key: str = "wk_test", **options: Any) -> None:
        super().__init__(Options(write_key, **options))
        self.events: list[dict[str, Any]] = []

    def _enqueue(self, event: bytes) -> bool:
        self.events.append(json.loads(event))
        return True

    def flush(self, timeout: float | None = None) -> bool:
        """Everything is delivered already."""
        return True

    def shutdown(self, timeout: float | None = None) -> bool:
        """Nothing to stop."""
        return True
