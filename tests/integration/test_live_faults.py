"""Live workers and the broker come and go under load: rows in ClickHouse are exactly what the oracle finds.

The oracle (tests/oracle) recomputes sessions, attempts, signals, cohorts and rates from the events by plain scans.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle.compare import FINAL_KEYS
from tests.support.pipeline import Expected, Pipeline, stream
from tests.support.stack import ClickHouseServer, KafkaServer, clickhouse_server, kafka_broker

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker of this module's own: its tests kill it."""
    with kafka_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with clickhouse_server(tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture
def pipeline(broker: KafkaServer, engine: ClickHouseServer, tmp_path: Path) -> Iterator[Pipeline]:
    opened = Pipeline(broker.bootstrap, engine.url, tmp_path)
    try:
        yield opened
    finally:
        opened.close()


def test_workers_killed_leaving_and_joining_under_load(pipeline: Pipeline) -> None:
    events = stream(seed=1, visitors=150)
    pipeline.writer()
    first, second = pipeline.live(), pipeline.live()
    with pipeline.send(events, per_s=150) as feeder:
        feeder.wait_sent(0.2)
        first.kill()
        feeder.wait_sent(0.4)
        third = pipeline.live()
        feeder.wait_sent(0.6)
        assert second.stop() == 0, "a worker that is asked to leave leaves"
        feeder.wait_sent(0.8)
        pipeline.live()
    assert third.is_running
    pipeline.assert_exact(Expected(events))


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_the_broker_restarted_under_load(broker: KafkaServer, pipeline: Pipeline, how: str) -> None:
    events = stream(seed=2, visitors=100)
    pipeline.writer()
    pipeline.live()
    pipeline.live()
    with pipeline.send(events, per_s=120) as feeder:
        feeder.wait_sent(0.4)
        if how == "stopped":
            broker.stop()
        broker.restart()
    pipeline.assert_exact(Expected(events))


def test_checkouts_an_hour_behind(pipeline: Pipeline) -> None:
    """Nobody is called gone while the topic that knows better lags, and what was said too early is corrected."""
    events = stream(seed=3, visitors=100)
    pipeline.writer()
    pipeline.live()
    with pipeline.send(events, per_s=200, behind_ms={"checkouts": HOUR_MS}):
        pass
    pipeline.assert_exact(Expected(events))


@pytest.mark.parametrize("how", ["away", "standing still"])
def test_what_kafka_deletes_before_it_is_read_is_told_and_holds_nothing_up(pipeline: Pipeline, how: str) -> None:
    before, after = stream(seed=5, visitors=40), stream(seed=6, visitors=40)
    lost = [{**event, "site": "posted"} for event in stream(seed=7, visitors=60)]  # not compared: some may be read
    writer, live = pipeline.writer(), pipeline.live()
    with pipeline.send(before, per_s=1000):
        pass
    pipeline.assert_exact(Expected(before))
    assert writer.stop() == 0
    if how == "away":
        assert live.stop() == 0
    else:
        os.kill(live.pid, signal.SIGSTOP)
    try:
        with pipeline.send(lost, per_s=5000):
            pass
        pipeline.delete_raw_records()
    finally:
        if how == "away":
            live.start()
        else:
            os.kill(live.pid, signal.SIGCONT)
    writer.start()
    with pipeline.send(after, per_s=1000):
        pass
    pipeline.assert_exact(Expected([*before, *after]))
    assert "events lost to retention" in live.log.read_text()


@pytest.mark.long
def test_a_burst_of_ten_times_the_events_and_all_of_them_again_from_offset_0(pipeline: Pipeline) -> None:
    events = stream(seed=4, visitors=800)
    expected = Expected(events)
    writer, live = pipeline.writer(), pipeline.live()
    with pipeline.send(events, per_s=200) as feeder:
        feeder.wait_sent(0.1)
        feeder.per_s *= 10
        feeder.wait_sent(0.9)
        feeder.per_s /= 10
    pipeline.assert_exact(expected)

    refused = pipeline.snag("rebuild", "--kafka", pipeline.bootstrap, "--clickhouse", pipeline.clickhouse.url)
    assert refused.returncode == 1
    assert "Stop live workers and writer first" in refused.stderr
    assert not pipeline.differences(expected), "a refusal deletes nothing"

    assert live.stop() == 0
    assert writer.stop() == 0
    done = pipeline.snag("rebuild", "--kafka", pipeline.bootstrap, "--clickhouse", pipeline.clickhouse.url)
    assert done.returncode == 0, done.stderr
    assert "deleted all derived rows" in done.stderr
    assert not any(pipeline.rows(table) for table in FINAL_KEYS), "tables are empty"
    writer.start()
    live.start()
    pipeline.assert_exact(expected)
