"""The writer as a process, on a real broker and the real engine: rows arrive, and none is lost or doubled by faults."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import clickhouse_connect
import msgspec
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from deploy.local.kafka.topics import create_topics
from processors.writer.migrate import migrate
from schemas.event import Event, to_ms
from schemas.rows import (
    AlertRow,
    ErrorRateRow,
    FrictionSignalRow,
    FunnelAttemptRow,
    FunnelCohortRow,
    RejectedRow,
    SessionRow,
)
from schemas.settings import ClickHouseSettings, KafkaSettings
from tests.support.ports import free_port
from tests.support.stack import ClickHouseServer, KafkaServer, ServerProcess, clickhouse_server, http_ok
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

PARTITIONS = 4
ARRIVAL_DEADLINE_S = 60
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class WriterProcess(ServerProcess):
    """`python -m processors.writer` with a health port of its own."""

    def __init__(self, directory: Path, env: dict[str, str]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(
            "writer",
            lambda: [sys.executable, "-m", "processors.writer"],
            lambda: http_ok(f"{self.url}/health"),
            directory / "writer.log",
            {**env, "SNAG_WRITER__HEALTH_PORT": str(port)},
        )

    def wait_ready(self) -> None:
        wait_for(lambda: http_ok(f"{self.url}/ready"), ARRIVAL_DEADLINE_S, "the writer is ready")

    def metric(self, sample: str) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{sample} ")), 0.0)


@dataclass
class Pipe:
    """Topics, a database and writers that belong to one test."""

    kafka: KafkaServer
    clickhouse: ClickHouseServer
    directory: Path
    name: str = field(default_factory=lambda: f"w{uuid.uuid4().hex[:10]}")
    writers: list[WriterProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        create_topics(KafkaSettings(bootstrap=self.kafka.bootstrap, topic_prefix=self.prefix, partitions=PARTITIONS))
        migrate(ClickHouseSettings(url=self.clickhouse.url, database=self.name))
        self._sent: list[Any] = []
        self._producer = KafkaProducer(
            bootstrap_servers=self.kafka.bootstrap, acks="all", enable_idempotence=False, compression_type="lz4"
        )

    @property
    def prefix(self) -> str:
        return f"{self.name}."

    def writer(self) -> WriterProcess:
        """A started writer of this pipe's group."""
        env = {
            "SNAG_KAFKA__BOOTSTRAP": self.kafka.bootstrap,
            "SNAG_KAFKA__TOPIC_PREFIX": self.prefix,
            "SNAG_CLICKHOUSE__URL": self.clickhouse.url,
            "SNAG_CLICKHOUSE__DATABASE": self.name,
            "SNAG_WRITER__GROUP": self.name,
            "SNAG_WRITER__INSERT_INTERVAL_S": "0.2",
            "PYTHONPATH": os.getcwd(),
        }
        process = WriterProcess(self.directory / f"writer{len(self.writers)}", env)
        self.writers.append(process)
        process.start()
        return process

    def send(self, topic: str, lines: Sequence[bytes | None], partition: int = 0) -> None:
        """One record of `lines`; a single None is a tombstone."""
        value = None if lines == [None] else b"\n".join(line for line in lines if line is not None)
        key = b"f1" if topic == "alerts" else None  # Kafka refuses a record without a key on a compacted topic
        headers = [("content-type", b"application/x-ndjson"), ("received_at", str(to_ms(NOON)).encode())]
        name = f"{self.prefix}{topic}"
        self._sent.append(self._producer.send(name, key=key, value=value, partition=partition, headers=headers))

    def flush(self) -> None:
        """Wait until Kafka has acknowledged everything sent."""
        for future in self._sent:
            future.get(timeout=30)
        self._sent.clear()

    def query(self, sql: str) -> list[Any]:
        url = self.clickhouse.url.removeprefix("http://")
        client = clickhouse_connect.get_client(
            host=url.split(":")[0], port=int(url.split(":")[1]), database=self.name, autogenerate_session_id=False
        )
        try:
            return list(client.query(sql, tz_mode="aware").result_rows)
        finally:
            client.close()

    def command(self, sql: str) -> None:
        url = f"{self.clickhouse.url}/?database={self.name}"
        with urllib.request.urlopen(url, data=sql.encode(), timeout=30):
            pass

    def count(self, table: str) -> int:
        return int(self.query(f"SELECT count() FROM {table} FINAL")[0][0])

    def wait_count(self, table: str, expected: int) -> None:
        wait_for(lambda: self.count(table) >= expected, ARRIVAL_DEADLINE_S, f"{expected} rows in {table}")
        assert self.count(table) == expected

    def close(self) -> None:
        self._producer.close()
        for process in self.writers:
            if process.is_running:
                process.stop()


@pytest.fixture
def pipe(kafka: KafkaServer, clickhouse: ClickHouseServer, tmp_path: Path) -> Iterator[Pipe]:
    made = Pipe(kafka, clickhouse, tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def own_clickhouse_pipe(kafka: KafkaServer, tmp_path: Path) -> Iterator[Pipe]:
    """A pipe whose ClickHouse may be killed."""
    with clickhouse_server(tmp_path / "engine") as server:
        made = Pipe(kafka, server, tmp_path)
        try:
            yield made
        finally:
            made.close()


def event(number: int, kind: Any = "clickstream", type_: str = "page_view", **fields: Any) -> bytes:
    when = NOON + timedelta(milliseconds=number)
    made = Event(
        event_id=f"e{number}", site="shop", kind=kind, type=type_, ts=when, received_at=when, client_ts=when, **fields
    )
    return msgspec.json.encode(made)


def alert(seq: int) -> bytes:
    return msgspec.json.encode(
        AlertRow(
            fingerprint="f1",
            seq=seq,
            status="firing",
            severity="critical",
            site="shop",
            rule="step_conversion",
            rule_version=1,
            test="cusum",
            starts_at=NOON,
            updated_at=NOON,
            observed=0.4,
            baseline=0.7,
            statistic=9.5,
            threshold=9.0,
            n=100,
            expected_false_alerts_per_week=0.1,
            summary="s",
            description="d",
            query="q",
        )
    )


def test_rows_of_every_topic_arrive_in_their_tables(pipe: Pipe) -> None:
    pipe.send("clickstream", [event(n, props={"a": {"b": 1}, "plan": "pro"}, is_bot=True, x=1.5) for n in range(20)], 1)
    pipe.send("errors", [event(21, "error", "js_error", error_class="js", fingerprint="f", message="boom")], 2)
    pipe.send("checkouts", [event(22, "checkout", "payment", props={"value": 49.5})], 3)
    derived: dict[str, msgspec.Struct] = {
        "sessions": SessionRow(site="shop", visitor_id="v", session_id="s", started_at=NOON, version=1),
        "funnels": FunnelAttemptRow(
            site="shop",
            funnel="checkout",
            attempt_id="a",
            visitor_id="v",
            started_at=NOON,
            version=1,
            steps=["x", "y"],
            step_times=[NOON, None],
        ),
        "funnel_cohorts": FunnelCohortRow(
            site="shop",
            funnel="checkout",
            funnel_version=2,
            minute=NOON,
            step=1,
            source_partition=0,
            version=1,
            entered=1,
        ),
        "signals": FrictionSignalRow(
            site="shop", signal="rage_click", signal_id="g", ts=NOON, visitor_id="v", version=1
        ),
        "error_rates": ErrorRateRow(site="shop", minute=NOON, source_partition=0, version=1, class_="js"),
        "rejected": RejectedRow(rejected_id="r", received_at=NOON, raw="{"),
    }
    for topic, row in derived.items():
        pipe.send(topic, [msgspec.json.encode(row)])
    pipe.send("alerts", [alert(1)])
    pipe.send("alerts", [None])
    pipe.send("alerts", [alert(2)])
    pipe.flush()
    writer = pipe.writer()
    writer.wait_ready()

    pipe.wait_count("clickstream", 20)
    derived_tables = ("sessions", "funnel_attempts", "funnel_cohorts", "friction_signals", "error_rates", "rejected")
    for table in ("errors", "checkouts", *derived_tables):
        pipe.wait_count(table, 1)
    pipe.wait_count("alerts", 2)
    assert pipe.query("SELECT value, props['value'] FROM checkouts FINAL") == [(49.5, "49.5")]
    assert pipe.query("SELECT ts, props, is_bot, x, y FROM clickstream FINAL WHERE event_id = 'e7'") == [
        (NOON + timedelta(milliseconds=7), {"a": '{"b":1}', "plan": "pro"}, True, 1.5, None)
    ]
    assert writer.metric('snag_writer_rows_total{table="clickstream"}') == 20
    wait_for(
        lambda: writer.metric(f'snag_writer_lag_records{{topic="{pipe.prefix}alerts"}}') == 0,
        ARRIVAL_DEADLINE_S,
        "the tombstone is committed too",
    )
    assert writer.stop() == 0


def test_poison_lines_are_rejected_and_their_neighbours_written(pipe: Pipe) -> None:
    poison = [b'{"event_id": "p1", "ts": "yesterday"}', b'{"event_id": "p2', b"no json"]
    pipe.send("clickstream", [event(1), poison[0], event(2), event(3)])
    pipe.send("clickstream", [poison[1]], 1)
    pipe.send("clickstream", [event(4), poison[2], event(5)], 1)
    pipe.flush()
    writer = pipe.writer()

    pipe.wait_count("rejected", 3)
    pipe.wait_count("clickstream", 5)
    rows = pipe.query("SELECT raw, stage, received_at FROM rejected FINAL ORDER BY raw")
    assert rows == [(raw.decode(), "writer", NOON) for raw in sorted(poison)]
    assert pipe.query("SELECT code FROM rejected FINAL WHERE raw LIKE '%yesterday%'") == [("CANNOT_PARSE_DATETIME",)]
    assert writer.metric('snag_writer_poison_rows_total{table="clickstream"}') == 3


def test_a_row_of_nothing_and_bytes_that_are_no_text_are_rejected_too(pipe: Pipe) -> None:
    pipe.send("clickstream", [event(1), b"{}", event(2), b"\xff\xfe junk"])
    pipe.flush()
    pipe.writer()

    pipe.wait_count("rejected", 2)
    pipe.wait_count("clickstream", 2)
    assert pipe.query("SELECT raw FROM rejected FINAL ORDER BY raw") == [(r"\xff\xfe junk",), ("{}",)]


def test_a_poison_line_in_rejected_itself_is_kept_and_does_not_come_round(pipe: Pipe) -> None:
    pipe.send("rejected", [b'{"received_at": "never"}'])
    pipe.send("rejected", [b'{"rejected_id": "good", "received_at": "2026-11-23T12:00:00.000Z"}'])
    pipe.flush()
    writer = pipe.writer()

    pipe.wait_count("rejected", 2)
    assert pipe.query("SELECT raw FROM rejected FINAL WHERE stage = 'writer'") == [('{"received_at": "never"}',)]
    assert writer.metric('snag_writer_poison_rows_total{table="rejected"}') == 1
    assert writer.stop() == 0


def test_without_tables_the_writer_waits_for_the_migration(pipe: Pipe) -> None:
    for statement in ("DROP TABLE clickstream SYNC", "TRUNCATE TABLE schema_migrations"):
        pipe.command(statement)
    pipe.send("clickstream", [event(1)])
    pipe.flush()
    writer = pipe.writer()
    sample = 'snag_writer_insert_failures_total{table="clickstream"}'
    wait_for(lambda: writer.metric(sample) >= 2, ARRIVAL_DEADLINE_S, "inserts fail and are tried again")

    migrate(ClickHouseSettings(url=pipe.clickhouse.url, database=pipe.name))
    pipe.wait_count("clickstream", 1)
    assert pipe.count("rejected") == 0


def load(pipe: Pipe, start: int, records: int) -> int:
    """Send `records` records of 20 events; the number after the last event's."""
    number = start
    for record in range(records):
        pipe.send("clickstream", [event(n) for n in range(number, number + 20)], record % PARTITIONS)
        number += 20
    pipe.flush()
    return number


def test_clickhouse_killed_and_restarted_under_load_loses_and_doubles_nothing(own_clickhouse_pipe: Pipe) -> None:
    pipe = own_clickhouse_pipe
    writer = pipe.writer()
    sent = load(pipe, 0, 100)
    wait_for(lambda: pipe.count("clickstream") > 0, ARRIVAL_DEADLINE_S, "the load flows")
    pipe.clickhouse.kill()
    sent = load(pipe, sent, 100)
    sample = 'snag_writer_insert_failures_total{table="clickstream"}'
    wait_for(lambda: writer.metric(sample) >= 1, ARRIVAL_DEADLINE_S, "the writer sees the outage")
    assert not http_ok(f"{writer.url}/ready")
    assert http_ok(f"{writer.url}/health")
    sent = load(pipe, sent, 100)
    pipe.clickhouse.start()
    sent = load(pipe, sent, 100)

    pipe.wait_count("clickstream", sent)
    assert pipe.query("SELECT uniqExact(event_id) FROM clickstream") == [(sent,)]
    assert pipe.count("rejected") == 0
    writer.wait_ready()
    assert writer.stop() == 0


def test_a_writer_killed_and_restarted_under_load_loses_and_doubles_nothing(pipe: Pipe) -> None:
    sent = 0
    writer = pipe.writer()
    for _ in range(3):
        before = pipe.count("clickstream")
        sent = load(pipe, sent, 80)
        wait_for(lambda before=before: pipe.count("clickstream") > before, ARRIVAL_DEADLINE_S, "the load flows")  # type: ignore[misc]
        writer.kill()
        sent = load(pipe, sent, 20)
        writer.start()

    pipe.wait_count("clickstream", sent)
    assert pipe.query("SELECT uniqExact(event_id) FROM clickstream") == [(sent,)]


def test_two_writers_share_the_partitions_and_one_takes_over_when_the_other_leaves(pipe: Pipe) -> None:
    first = pipe.writer()
    sent = load(pipe, 0, 60)
    second = pipe.writer()
    sent = load(pipe, sent, 60)
    sample = 'snag_writer_rows_total{table="clickstream"}'

    def both_write() -> bool:
        nonlocal sent
        sent = load(pipe, sent, 2 * PARTITIONS)
        return first.metric(sample) > 0 and second.metric(sample) > 0

    wait_for(both_write, ARRIVAL_DEADLINE_S, "both writers write")
    assert first.stop() == 0
    sent = load(pipe, sent, 60)
    pipe.wait_count("clickstream", sent)
    assert pipe.query("SELECT uniqExact(event_id) FROM clickstream") == [(sent,)]


def test_sigterm_flushes_and_commits(pipe: Pipe) -> None:
    writer = pipe.writer()
    writer.wait_ready()
    sent = load(pipe, 0, 20)
    wait_for(lambda: pipe.count("clickstream") > 0, ARRIVAL_DEADLINE_S, "the load flows")
    assert writer.stop() == 0
    rows_before = int(pipe.query("SELECT count() FROM clickstream")[0][0])
    writer.start()
    sent = load(pipe, sent, 1)
    pipe.wait_count("clickstream", sent)
    raw = int(pipe.query("SELECT count() FROM clickstream")[0][0])
    assert raw == sent, f"rows were read again after a clean stop: {raw} for {sent}, {rows_before} before it"


def test_the_writer_stops_with_an_error_when_refused_rows_can_be_kept_nowhere(pipe: Pipe) -> None:
    admin = KafkaAdminClient(bootstrap_servers=pipe.kafka.bootstrap)
    admin.delete_topics([f"{pipe.prefix}rejected"])
    admin.close()
    pipe.send("clickstream", [event(1), b"no json"])
    pipe.flush()
    writer = pipe.writer()
    wait_for(lambda: not writer.is_running, ARRIVAL_DEADLINE_S, "the writer ends")
    assert writer.stop() == 1
    assert "could not be sent to the topic" in writer.log.read_text()

    create_topics(KafkaSettings(bootstrap=pipe.kafka.bootstrap, topic_prefix=pipe.prefix, partitions=PARTITIONS))
    writer.start()
    pipe.wait_count("rejected", 1)
    pipe.wait_count("clickstream", 1)


def test_migrate_as_a_command_says_what_it_did_and_what_is_wrong(clickhouse: ClickHouseServer) -> None:
    def run(url: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "SNAG_CLICKHOUSE__URL": url, "SNAG_CLICKHOUSE__DATABASE": f"w{uuid.uuid4().hex[:10]}"}
        command = [sys.executable, "-m", "processors.writer", "migrate"]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    done = run(clickhouse.url)
    assert done.returncode == 0, done.stderr
    assert "0001_raw_tables.sql" in done.stderr
    nowhere = f"http://127.0.0.1:{free_port()}"
    failed = run(nowhere)
    assert failed.returncode == 1
    assert f"asked at {nowhere}" in failed.stderr
    assert "Traceback" not in failed.stderr
