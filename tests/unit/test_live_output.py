"""Derived rows on their way to Kafka: micro-batches below a bound, headers, keys, and a failed send that surfaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.domain.emission import Emission
from processors.live import output
from processors.live.output import Output, batches
from schemas.event import from_ms
from schemas.metrics import Metrics
from schemas.rows import MinuteMetrics
from schemas.topics import partition_of
from tests.oracle.fakes import FakeApp, FakeProducer


def make() -> tuple[Output, FakeProducer, Metrics]:
    producer, metrics = FakeProducer(), Metrics()
    return Output(FakeApp(producer), "t1.", 8, metrics), producer, metrics


def minute(site: str) -> MinuteMetrics:
    at = from_ms(0)
    return MinuteMetrics(site=site, source_partition=3, minute=at, frontier=at, version=1, ripe_after_s=120)


def test_no_rows_no_batches() -> None:
    assert list(batches([])) == []


def test_a_batch_is_full_at_its_bound_and_not_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_RECORD_MAX_BYTES", 7)
    assert list(batches([b"aaa", b"bbb", b"c"])) == [b"aaa\nbbb", b"c"]
    assert list(batches([b"aaaa", b"bbb"])) == [b"aaaa", b"bbb"]


def test_a_row_larger_than_the_bound_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_RECORD_MAX_BYTES", 5)
    assert list(batches([b"a", b"x" * 99, b"b", b"c"])) == [b"a", b"x" * 99, b"b\nc"]


@given(st.lists(st.binary(min_size=1, max_size=300_000).map(lambda row: row.replace(b"\n", b" ")), max_size=12))
def test_batches_keep_every_row_in_order(rows: list[bytes]) -> None:
    found = list(batches(rows))
    assert [row for batch in found for row in batch.split(b"\n")] == rows
    assert all(len(batch) <= output._RECORD_MAX_BYTES or b"\n" not in batch for batch in found)


async def test_rows_go_to_their_topic_in_the_sources_own_partition() -> None:
    out, producer, metrics = make()
    await out.send(3, Emission(rows={"sessions": [b"{1}", b"{2}"], "error_rates": [b"{3}"]}), 1234)
    assert [(s.topic, s.key, s.value, s.partition) for s in producer.sent] == [
        ("t1.sessions", None, b"{1}\n{2}", 3),
        ("t1.error_rates", None, b"{3}", 3),
    ]
    expected = [("content-type", b"application/x-ndjson"), ("received_at", b"1234")]
    assert producer.sent[0].headers == expected
    assert producer.arrived == {0, 1}
    labels = {"topic": "sessions"}
    assert metrics.registry.get_sample_value("snag_live_rows_emitted_total", labels) == 2


async def test_metrics_go_by_site() -> None:
    out, producer, _ = make()
    await out.send(3, Emission(metrics=[minute("shop")]), 0)
    (sent,) = producer.sent
    assert (sent.topic, sent.key, sent.partition) == ("t1.metrics", b"shop", partition_of(b"shop", 8))
    assert sent.headers == [("content-type", b"application/json")]


async def test_a_failed_send_surfaces() -> None:
    out, producer, _ = make()
    producer.failure = ConnectionError("broker gone")
    with pytest.raises(ConnectionError, match="broker gone"):
        await out.send(3, Emission(rows={"sessions": [b"{}"]}), 0)


async def test_an_alert_is_sent_when_it_returns() -> None:
    out, producer, _ = make()
    await out.send_alert(b"f1", b"{}", [("ce_id", b"1")])
    (sent,) = producer.sent
    assert (sent.topic, sent.key, sent.partition, sent.headers) == ("t1.alerts", b"f1", None, [("ce_id", b"1")])
    assert producer.arrived == {0}
