"""When to forget: sweeps by the one writer that reads the erase list, beside its inserts."""

from __future__ import annotations

import threading
from typing import Final

from clickhouse_connect.driver.exceptions import Error

from processors.writer.clickhouse import connect
from processors.writer.erasure import sweep
from schemas.logs import get_logger
from schemas.metrics import Metrics
from schemas.settings import Settings

_log = get_logger(__name__)

_RETRY_S: Final = 5.0  # after a sweep that ClickHouse did not finish


class Eraser:
    """Runs sweeps in a thread of its own, one at a time: soon after somebody was listed, and once an interval."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._thread: threading.Thread | None = None
        self._next_s = 0.0
        self._woken = False
        self._failed = False

    def wake(self) -> None:
        """Somebody was listed: sweep at the next turn."""
        self._woken = True

    def turn(self, now_s: float, *, is_ours: bool) -> None:
        """Start a sweep if one is due at `now_s` (monotonic seconds) and the erase list `is_ours` to read."""
        if not is_ours or (self._thread is not None and self._thread.is_alive()):
            return
        if self._failed:
            self._failed, self._next_s = False, now_s + _RETRY_S
        if self._woken or now_s >= self._next_s:
            self._woken = False
            self._next_s = now_s + self._settings.writer.erase_interval_s
            self._thread = threading.Thread(target=self._sweep, daemon=True)  # a hung sweep delays no exit
            self._thread.start()

    def _sweep(self) -> None:
        try:
            client = connect(self._settings.clickhouse)
            try:
                deleted = sweep(client, self._settings.writer.erase_for_days)
            finally:
                client.close()
        except Error as error:
            self._failed = True
            _log.warning("sweep_failed", retry_in_s=_RETRY_S, error=str(error))
            return
        for table, rows in deleted.items():
            self._metrics.counter("snag_writer_erased_rows_total", table).inc(rows)
        if deleted:
            _log.info("erased", rows=deleted)
