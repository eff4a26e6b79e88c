from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from processors.writer.batch import Batch, Buffer
from processors.writer.delivery import AbandonedError, Backoff, Delivery
from processors.writer.failure import RowsRefusedError
from processors.writer.insert import UnavailableError
from processors.writer.rejection import RAW_MAX_BYTES, RejectError
from schemas.event import from_ms
from schemas.metrics import Metrics
from schemas.rows import RejectedRow

NO_WAIT = Backoff(0.0, 0.0)


class Table:
    """Takes inserts as ClickHouse would: refuses those with a poison row, and fails `outages` times first."""

    def __init__(self, outages: int = 0) -> None:
        self.outages = outages
        self.attempts: list[tuple[bytes, str]] = []
        self.rows: list[bytes] = []

    def insert(self, body: bytes, token: str) -> None:
        self.attempts.append((body, token))
        if self.outages:
            self.outages -= 1
            raise UnavailableError("down")
        lines = body.split(b"\n")
        if any(line.startswith(b"poison") for line in lines):
            raise RowsRefusedError("CANNOT_PARSE_TEXT", "no")
        self.rows += lines


def batch_of(*values: bytes | None) -> Batch:
    buffer = Buffer("clickstream")
    for offset, value in enumerate(values):
        buffer.add(0, offset, value, 1_700_000_000_000)
    return buffer.cut()


def delivery(table: Table, reject: object = None, metrics: Metrics | None = None) -> Delivery:
    return Delivery("clickstream", table.insert, reject, NO_WAIT, metrics or Metrics())  # type: ignore[arg-type]


def sample(metrics: Metrics, name: str) -> float:
    return metrics.registry.get_sample_value(name, {"table": "clickstream"}) or 0.0


def test_an_outage_is_retried_with_the_same_bytes_and_token() -> None:
    table, metrics = Table(outages=3), Metrics()
    delivery(table, metrics=metrics).deliver(batch_of(b"a", b"b"), threading.Event())
    assert table.rows == [b"a", b"b"]
    assert len(table.attempts) == 4
    assert len(set(table.attempts)) == 1
    assert sample(metrics, "snag_writer_insert_failures_total") == 3
    assert sample(metrics, "snag_writer_rows_total") == 2


def test_an_outage_shows_while_it_lasts() -> None:
    seen: list[bool] = []
    table = Table()

    def insert(body: bytes, token: str) -> None:
        seen.append(made.failing.is_set())
        if len(seen) < 3:
            raise UnavailableError("down")
        table.insert(body, token)

    made = Delivery("clickstream", insert, None, NO_WAIT, Metrics())
    made.deliver(batch_of(b"a"), threading.Event())
    assert seen == [False, True, True]
    assert not made.failing.is_set()


def test_an_abandoned_batch_ends_the_retries() -> None:
    abandoned = threading.Event()
    table = Table(outages=1_000_000)

    def insert(body: bytes, token: str) -> None:
        if len(table.attempts) == 5:
            abandoned.set()
        table.insert(body, token)

    made = Delivery("clickstream", insert, None, NO_WAIT, Metrics())
    with pytest.raises(AbandonedError):
        made.deliver(batch_of(b"a"), abandoned)
    assert len(table.attempts) == 6
    assert not made.failing.is_set()


def test_poison_is_rejected_with_its_place_and_reason_and_the_rest_is_written() -> None:
    rejected: list[RejectedRow] = []
    table, metrics = Table(), Metrics()
    made = delivery(table, rejected.extend, metrics)
    made.deliver(batch_of(b"a\npoison 1\nb", b"c", b"poison 2"), threading.Event())
    assert sorted(table.rows) == [b"a", b"b", b"c"]
    assert [(row.raw, row.index, row.stage, row.code, row.message) for row in rejected] == [
        ("poison 1", 1, "writer", "CANNOT_PARSE_TEXT", "no"),
        ("poison 2", 0, "writer", "CANNOT_PARSE_TEXT", "no"),
    ]
    assert {row.received_at for row in rejected} == {from_ms(1_700_000_000_000)}
    assert sample(metrics, "snag_writer_poison_rows_total") == 2
    assert sample(metrics, "snag_writer_rows_total") == 3

    again: list[RejectedRow] = []
    delivery(Table(), again.extend).deliver(batch_of(b"a\npoison 1\nb", b"c", b"poison 2"), threading.Event())
    assert again == rejected, "a replay after a crash repeats the same rows, which FINAL keeps once"


def test_bytes_that_are_no_text_stay_readable_and_huge_lines_are_cut() -> None:
    rejected: list[RejectedRow] = []
    huge = b"poison" + b"x" * (2 * RAW_MAX_BYTES)
    delivery(Table(), rejected.extend).deliver(batch_of(b"poison \xff", huge), threading.Event())
    assert rejected[0].raw == r"poison \xff"
    assert len(rejected[1].raw) == RAW_MAX_BYTES


def test_rejected_rows_that_cannot_be_kept_stop_the_delivery() -> None:
    def reject(rows: Sequence[RejectedRow]) -> None:
        raise RejectError("Kafka is gone")

    with pytest.raises(RejectError):
        delivery(Table(), reject).deliver(batch_of(b"a", b"poison"), threading.Event())


def test_poison_in_the_table_of_rejected_rows_is_kept_there_and_sent_nowhere() -> None:
    table = Table()
    delivery(table).deliver(batch_of(b"poison", b"a"), threading.Event())
    assert table.rows[0] == b"a"
    assert b'"raw":"poison"' in table.rows[1]


def test_a_table_that_refuses_even_the_writers_own_rows_stops_it() -> None:
    def insert(body: bytes, token: str) -> None:
        raise RowsRefusedError("TYPE_MISMATCH", "other columns")

    with pytest.raises(RejectError, match=r"python -m processors\.writer migrate"):
        Delivery("rejected", insert, None, NO_WAIT, Metrics()).deliver(batch_of(b"a"), threading.Event())


def test_a_batch_of_tombstones_needs_no_insert() -> None:
    table = Table()
    delivery(table).deliver(batch_of(None, None), threading.Event())
    assert table.attempts == []


def test_backoff_doubles_up_to_its_bound() -> None:
    delays = Backoff(0.2, 1.0).delays()
    assert [next(delays) for _ in range(5)] == [0.2, 0.4, 0.8, 1.0, 1.0]
