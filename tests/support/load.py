"""A bounded load of checkout stories for fault tests, remembering what was answered 200."""

from __future__ import annotations

import random
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

import orjson

STEPS = ("product_added", "checkout_started", "shipping", "payment", "order_completed")
OTHERS = ("page_view", "page_view", "page_view", "click", "click", "js_error")
TROUBLES = (
    "search",
    "scroll",
    "form_start",
    "form_submit",
    "form_error",
    "login_failed",
    "payment_failed",
    "web_vital",
)
ANSWER_DEADLINE_S = 15
EVENTS_PER_REQUEST = 20
PAUSE_S = 0.04  # 500 events/s: enough to be in the middle of everything, little enough for two cores


class Load:
    """Posts events of 40 visitors on a thread until stopped. A refused or unanswered batch is sent again as it is."""

    def __init__(self, collector: str, seed: int = 1) -> None:
        self.accepted: set[str] = set()
        self.unsure: set[str] = set()
        self._url = f"{collector}/v1/events"
        self._random = random.Random(seed)
        self._run = uuid.uuid4().hex[:8]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._post_until_stopped, daemon=True)

    @property
    def visitors(self) -> str:
        """LIKE pattern of this load's visitor ids."""
        return f"v-{self._run}-%"

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the load ends"

    def _post_until_stopped(self) -> None:
        batch = self._batch()
        while not self._stop.is_set():
            if self._post(batch):
                self.unsure.difference_update(event["event_id"] for event in batch)
                batch = self._batch()
            else:
                self.unsure.update(event["event_id"] for event in batch)
            time.sleep(PAUSE_S)

    def _batch(self) -> list[dict[str, Any]]:
        return [self._event() for _ in range(EVENTS_PER_REQUEST)]

    def _event(self) -> dict[str, Any]:
        who = self._random.randrange(40)
        type_ = self._random.choice(OTHERS + OTHERS + STEPS + STEPS + TROUBLES)
        event = {
            "event_id": uuid.uuid4().hex,
            "type": type_,
            "visitor_id": f"v-{self._run}-{who}",
            "session_id": f"s-{self._run}-{who}",
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "url": f"https://shop.example/p{self._random.randrange(4)}",
        }
        if type_ in STEPS:
            event["props"] = {"value": self._random.randrange(1, 100)}
        elif type_ in TROUBLES:
            event["props"] = {
                "results": self._random.randrange(2),
                "depth": self._random.randrange(100),
                "form": "address",
                "field": "zip",
                "name": "LCP",
                "value": self._random.randrange(3000, 6000),
                "error_code": self._random.choice(("expired_card", "insufficient_funds")),
            }
        return event

    def _post(self, batch: list[dict[str, Any]]) -> bool:
        request = urllib.request.Request(self._url, orjson.dumps(batch), {"X-Write-Key": "wk_local"})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_DEADLINE_S) as answer:
                verdict = orjson.loads(answer.read())
        except (OSError, urllib.error.URLError, ValueError):
            return False
        assert verdict["accepted"] == len(batch), verdict
        self.accepted.update(event["event_id"] for event in batch)
        return True
