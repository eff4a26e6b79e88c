"""Alerts on the real stack: per-minute counts in, a firing and then a resolved record out, and rows in ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from kafka import KafkaConsumer, KafkaProducer

from schemas import topics
from schemas.rows import MinuteMetrics, StepCount
from schemas.topics import partition_of
from tests.support.running import RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

USUAL, BROKEN = 0.7, 0.1
STARTS_PER_MINUTE = 20
RIPE_AFTER_S = 5.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    directory: Path = tmp_path_factory.mktemp("alerts")
    with running_stack(directory) as running:
        yield running


def minute_counts(at: datetime, share: float, version: int) -> MinuteMetrics:
    """A ripe minute in which `share` of the attempts went on from shipping to payment."""
    step = StepCount(
        funnel="checkout",
        step=2,
        name="shipping",
        entered=STARTS_PER_MINUTE,
        passed=round(STARTS_PER_MINUTE * share),
    )
    return MinuteMetrics(
        site="shop",
        source_partition=0,
        minute=at,
        frontier=at + timedelta(minutes=1, seconds=RIPE_AFTER_S + 15),
        version=version,
        ripe_after_s=RIPE_AFTER_S,
        steps=[step],
        sessions=STARTS_PER_MINUTE,
        error_sessions=0,
    )


def alert_records(kafka: str) -> list[tuple[bytes, dict[str, str], dict[str, Any]]]:
    """All records of topic alerts: key, headers, data."""
    consumer = KafkaConsumer(
        topics.ALERTS.name, bootstrap_servers=kafka, auto_offset_reset="earliest", consumer_timeout_ms=2000
    )
    try:
        return [(r.key, {k: v.decode() for k, v in r.headers}, orjson.loads(r.value)) for r in consumer]
    finally:
        consumer.close()


def test_a_step_that_breaks_fires_and_then_resolves(stack: RunningStack) -> None:
    kafka = stack.status()["kafka"]
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=False)
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=110)
    shares = [USUAL] * 60 + [BROKEN] * 10 + [USUAL] * 35
    for i, share in enumerate(shares):
        counts = minute_counts(start + timedelta(minutes=i), share, version=i)
        partition = partition_of(b"shop", 8)
        producer.send(topics.METRICS.name, msgspec.json.encode(counts), key=b"shop", partition=partition)
    producer.flush()
    producer.close()

    def states() -> list[str]:
        rows = stack.query("SELECT status FROM alerts FINAL WHERE funnel = 'checkout' AND step = 3 ORDER BY seq")
        return [row["status"] for row in rows]

    wait_for(lambda: states() == ["firing", "resolved"], 60, "firing and resolved are in ClickHouse")
    records = [record for record in alert_records(kafka) if record[2]["step"] == 3]
    assert [data["status"] for _, _, data in records] == ["firing", "resolved"]
    for key, headers, data in records:
        assert key == data["fingerprint"].encode()
        assert headers["ce_specversion"] == "1.0"
        assert headers["ce_id"].startswith(f"{data['fingerprint']}-{data['seq']}-")
        assert headers["content-type"] == "application/json"
    firing = records[0][2]
    assert firing["observed"] < firing["baseline"]
    assert "shipping" in firing["summary"] or "Shipping" in firing["summary"]
    told = stack.snag("tail", "alerts", "--from-start", "--limit", "2", "--json").stdout.splitlines()
    assert [orjson.loads(line)["status"] for line in told] == ["firing", "resolved"]
