"""Getting one table's batches into ClickHouse: patience with outages, bisection for poison, nothing dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from processors.writer.batch import Batch, Line, join_lines
from processors.writer.bisection import insert_all_but_poison
from processors.writer.failure import RowsRefusedError
from processors.writer.insert import UnavailableError
from processors.writer.rejection import RejectError, rejected_row
from schemas.logs import get_logger
from schemas.metrics import Metrics
from schemas.rows import RejectedRow

_log = get_logger(__name__)


class AbandonedError(Exception):
    """The batch was given up before it was written: its partitions moved to another writer, or this one stops."""


@dataclass(frozen=True)
class Backoff:
    """Waiting times between attempts, seconds: from `min_s`, doubled each time, to `max_s`."""

    min_s: float
    max_s: float

    def delays(self) -> Iterator[float]:
        """The waiting times, without end."""
        delay_s = self.min_s
        while True:
            yield delay_s
            delay_s = min(2 * delay_s, self.max_s)


class Delivery:
    """Delivers the batches of one table, one after the other. `failing` is set while ClickHouse does not take them.

    `insert(body, token)` raises RowsRefusedError or UnavailableError. `reject(rows)` returns when the rows are safe; it
    is None for the table of rejected rows, which takes them at once: through the topic they might circle for ever.
    """

    def __init__(
        self,
        table: str,
        insert: Callable[[bytes, str], None],
        reject: Callable[[Sequence[RejectedRow]], None] | None,
        backoff: Backoff,
        metrics: Metrics,
    ) -> None:
        self._table = table
        self._insert = insert
        self._reject = reject
        self._backoff = backoff
        self._metrics = metrics
        self.failing = threading.Event()

    def deliver(self, batch: Batch, abandoned: threading.Event) -> None:
        """Return when every row of `batch` is in the table or rejected; blocks as long as ClickHouse is out.

        Raises AbandonedError soon after `abandoned` is set, RejectError when refused rows cannot be kept.
        """
        body = batch.body()
        if not body.strip():
            return
        try:
            self._insert_patiently(body, batch.token(body), abandoned)
            self._metrics.counter("snag_writer_rows_total", self._table).inc(batch.row_count())
        except RowsRefusedError:
            self._deliver_by_line(batch, abandoned)
        finally:
            self.failing.clear()
        now = time.time()
        latency = self._metrics.histogram("snag_writer_end_to_end_seconds", self._table)
        for record in batch.records:
            latency.observe(max(0.0, now - record.received_ms / 1000))

    def _deliver_by_line(self, batch: Batch, abandoned: threading.Event) -> None:
        lines = batch.lines()

        def insert(part: Sequence[Line]) -> None:
            body = join_lines(part)
            self._insert_patiently(body, batch.token(body), abandoned)

        poison = list(insert_all_but_poison(lines, insert))
        self._metrics.counter("snag_writer_rows_total", self._table).inc(len(lines) - len(poison))
        if poison:
            self._keep([rejected_row(batch.topic, line, refusal) for line, refusal in poison], batch, abandoned)
            self._metrics.counter("snag_writer_poison_rows_total", self._table).inc(len(poison))
            codes = sorted({refusal.name for _, refusal in poison})
            _log.warning("rows_rejected", table=self._table, rows=len(poison), codes=codes, ranges=batch.ranges)

    def _keep(self, rows: Sequence[RejectedRow], batch: Batch, abandoned: threading.Event) -> None:
        if self._reject is not None:
            self._reject(rows)
            return
        body = b"\n".join(msgspec.json.encode(row) for row in rows)
        try:
            self._insert_patiently(body, batch.token(body), abandoned)
        except RowsRefusedError as error:
            raise RejectError(
                f"ClickHouse refuses even the writer's own rows in the table {self._table} ({error}). Its schema is "
                "not the one of this version: run `python -m processors.writer migrate`, then start the writer again."
            ) from error

    def _insert_patiently(self, body: bytes, token: str, abandoned: threading.Event) -> None:
        for delay_s in self._backoff.delays():
            if abandoned.is_set():
                raise AbandonedError
            try:
                self._insert(body, token)
            except UnavailableError as error:
                self.failing.set()
                self._metrics.counter("snag_writer_insert_failures_total", self._table).inc()
                _log.warning("insert_failed", table=self._table, retry_in_s=delay_s, error=str(error))
                abandoned.wait(delay_s)
            else:
                self.failing.clear()
                self._metrics.counter("snag_writer_inserts_total", self._table).inc()
                return
