"""What a client can be told; the names are those of Segment's and PostHog's Python clients."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from snag_sdk.errors import OnError, SnagError
from snag_sdk.retry import RetryPolicy
from snag_sdk.transport import Transport

_log = logging.getLogger("snag_sdk")

BeforeSend = Callable[[dict[str, Any]], "dict[str, Any] | None"]
"""Changes an event before it is queued, or drops it by returning None."""


def log_loss(error: SnagError, events: Sequence[dict[str, Any]]) -> None:
    """What happens to a loss when nobody else listens: a warning with the count, no contents."""
    _log.warning("%d events lost: %s", len(events), error)


@dataclass(frozen=True)
class Options:
    """Settings of a client.

    `flush_at` events or `flush_interval` seconds after the first one a batch is sent. `max_queue_size` bounds the
    memory; a full queue drops the new event and says so. `timeout` is per request, in seconds. `release` is put on
    every event that has none.
    """

    write_key: str
    host: str = "http://127.0.0.1:8080"
    path: str = "/v1/events"
    enabled: bool = True
    sync_mode: bool = False
    flush_at: int = 100
    flush_interval: float = 0.5
    max_queue_size: int = 10_000
    max_batch_bytes: int = 475_000
    gzip: bool = True
    timeout: float = 15.0
    max_retries: int = 10
    on_error: OnError = log_loss
    before_send: BeforeSend | None = None
    release: str | None = None

    @property
    def retry(self) -> RetryPolicy:
        """When and how often a batch is sent again."""
        return RetryPolicy(self.max_retries)

    def transport(self) -> Transport:
        """A connection to the collector. Raises ValueError for a host that is no address."""
        return Transport(self.host, self.write_key, path=self.path, timeout_s=self.timeout, compress=self.gzip)
