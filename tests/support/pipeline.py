"""Kafka -> writer and live workers -> ClickHouse, each a process of its own, compared with the oracle at the end."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from deploy.local.kafka.topics import create_topics
from processors.writer.migrate import migrate
from schemas import topics
from schemas.settings import ClickHouseSettings, KafkaSettings
from snag.clickhouse import ClickHouse
from tests import oracle
from tests.oracle.compare import typed
from tests.oracle.funnel import CHECKOUT, SHIPPED
from tests.oracle.streams import Event, crowd
from tests.support.feeder import Feeder, micro_batches
from tests.support.ports import free_port
from tests.support.running import SNAG
from tests.support.stack import ServerProcess, http_ok
from tests.support.wait import wait_for, wait_until_same

PARTITIONS = 4
SETTLE_DEADLINE_S = 240
READY_DEADLINE_S = 90
_HOURS_AGO = 14
_UP_TO_THE_END = -1  # Kafka's word for it in a request to delete records
_HOUR_MS = 3_600_000
_OF_STREAM = "site != 'posted'"
_IDLE_S, _MAX_S = 1800, 86_400


def stream(seed: int, visitors: int) -> list[Event]:
    """Events that ended long enough ago for every session to be closed and every attempt decided and ripe.

    So the rows expected do not depend on when they are looked at.
    """
    return crowd(seed, visitors, begin_ms=time.time_ns() // 1_000_000 - _HOURS_AGO * _HOUR_MS)


class Expected:
    """What the oracle finds in `events`, table by table."""

    def __init__(self, events: Sequence[Event]) -> None:
        frontier = time.time_ns() // 1_000_000
        self.events = len({(event["site"], event["event_id"]) for event in events})
        self.sessions = oracle.sessions(events, _IDLE_S, _MAX_S, frontier=frontier, checkout=CHECKOUT)
        self.attempts = oracle.attempts(events, SHIPPED, frontier=frontier)
        self.cohorts = oracle.cohorts(events, SHIPPED, frontier=frontier)
        self.signals = oracle.signals(events, _IDLE_S, _MAX_S)
        self.rates = oracle.rates(events)
        assert all(row["state"] == "closed" for row in self.sessions.values()), "long ago"
        assert len({row["state"] for row in self.attempts.values()}) > 1, "attempts of several outcomes"
        assert len({key[1] for key in self.signals}) > 8, "many kinds of friction"


class Pipeline:
    """Topics, a database, a writer and live workers of one test. `settings` are further SNAG_.. variables."""

    def __init__(
        self, bootstrap: str, clickhouse_url: str, directory: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.name = f"p{uuid.uuid4().hex[:10]}"
        self.prefix, self.bootstrap, self._directory = f"{self.name}.", bootstrap, directory
        self.env = {
            "SNAG_KAFKA__BOOTSTRAP": bootstrap,
            "SNAG_KAFKA__TOPIC_PREFIX": self.prefix,
            "SNAG_KAFKA__PARTITIONS": str(PARTITIONS),
            "SNAG_CLICKHOUSE__URL": clickhouse_url,
            "SNAG_CLICKHOUSE__DATABASE": self.name,
            "SNAG_WRITER__GROUP": f"{self.prefix}writer",
            "SNAG_WRITER__INSERT_INTERVAL_S": "0.5",
            "SNAG_LIVE__CHECKPOINT_INTERVAL_S": "2",
            "SNAG_LIVE__EMIT_INTERVAL_S": "1",
            "SNAG_LIVE__CLOCK_SKEW_S": "1",  # one machine, one clock
            "SNAG_INGEST__SPOOL_DIR": str(directory / "spool"),
            "SNAG_SITES": '[{"name": "posted", "write_keys": ["wk_local"]}]',
            "PYTHONPATH": os.getcwd(),
            **(settings or {}),
        }
        replication = int(self.env.get("SNAG_KAFKA__REPLICATION", "1"))
        kafka = KafkaSettings(
            bootstrap=bootstrap, topic_prefix=self.prefix, partitions=PARTITIONS, replication=replication
        )
        create_topics(kafka, "snag-live")
        migrate(ClickHouseSettings(url=clickhouse_url, database=self.name))
        self.clickhouse = ClickHouse(clickhouse_url, database=self.name)
        self.processes: list[ServerProcess] = []

    def writer(self) -> ServerProcess:
        """A started writer, which is ready."""
        return self._process("processors.writer", "SNAG_WRITER__HEALTH_PORT")[0]

    def live(self) -> ServerProcess:
        """A started live worker, which has its partitions."""
        return self._process("processors.live", "SNAG_LIVE__HEALTH_PORT")[0]

    def collector(self) -> str:
        """The URL of a started collector, for events beside the oracle's: they are of a site of their own."""
        return self._process("ingest", "SNAG_INGEST__PORT")[1]

    def snag(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `snag` with the pipeline's settings."""
        command = [str(SNAG), *arguments]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self._directory,
            env={**os.environ, **self.env},
            check=False,
        )

    def send(self, events: Sequence[Event], per_s: float, behind_ms: Mapping[str, int] | None = None) -> Feeder:
        """Sends the events to the raw topics while the `with` block lasts; at its end all are there."""
        return Feeder(self.bootstrap, self.prefix, micro_batches(events, PARTITIONS, behind_ms or {}), per_s)

    def delete_raw_records(self) -> None:
        """Let Kafka forget all records that the raw topics hold now, as retention does in time."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap.split(","))
        try:
            admin.delete_records(dict.fromkeys(self._partitions(topics.RAW), _UP_TO_THE_END))
        finally:
            admin.close()

    def assert_exact(self, expected: Expected) -> None:
        """Wait until the rows in ClickHouse are the oracle's, and see that they stay so when all is at rest."""
        self._wait_for(lambda: self.rows_missing(expected) == 0, "every event is in the raw tables")
        self._wait_for(lambda: self._lag(self._live_group, topics.RAW) == 0, "live workers have read everything")
        wait_until_same(lambda: self.differences(expected), SETTLE_DEADLINE_S, "derived rows equal the oracle's")
        self._wait_for(lambda: self._lag(self.env["SNAG_WRITER__GROUP"], topics.DERIVED) == 0, "all rows are written")
        told = self.differences(expected)
        assert not told, "\n".join(told)

    def rows_missing(self, expected: Expected) -> int:
        """How many of the events are not in the raw tables."""
        counts = [f"SELECT count() AS n FROM {topic.name} FINAL WHERE {_OF_STREAM}" for topic in topics.RAW]
        return expected.events - sum(row["n"] for row in self.clickhouse.rows(" UNION ALL ".join(counts)))

    def differences(self, expected: Expected) -> list[str]:
        """How the derived rows differ from the oracle's, in words; the first few of each table."""
        told = {
            "sessions": oracle.diff(expected.sessions, oracle.tabulate("sessions", self.rows("sessions"))),
            "attempts": oracle.diff(
                expected.attempts, oracle.tabulate("funnel_attempts", self.rows("funnel_attempts"))
            ),
            "signals": oracle.diff(
                expected.signals, oracle.tabulate("friction_signals", self.rows("friction_signals"))
            ),
            "cohorts": oracle.diff(expected.cohorts, oracle.sum_cohorts(self.rows("funnel_cohorts"))),
            "rates": oracle.diff(expected.rates, oracle.sum_partitions(self.rows("error_rates"))),
        }
        return [f"{table}: {line}" for table, found in told.items() for line in found]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """What FINAL shows of a derived table, of the oracle's sites."""
        return [typed(row) for row in self.clickhouse.rows(f"SELECT * FROM {table} FINAL WHERE {_OF_STREAM}")]

    def close(self) -> None:
        """End every process that still runs."""
        for process in self.processes:
            if process.is_running:
                process.stop()
        gc.collect()  # what kafka-python left unclosed is found in this test, not in a later one or at the very end

    @property
    def _live_group(self) -> str:
        return f"{self.prefix}snag-live"

    def _process(self, module: str, port_variable: str) -> tuple[ServerProcess, str]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        name = module.rpartition(".")[2]
        process = ServerProcess(
            name,
            lambda: [sys.executable, "-m", module],
            lambda: http_ok(f"{url}/ready"),
            self._directory / f"{name}-{len(self.processes)}.log",
            {**self.env, port_variable: str(port)},
        )
        self.processes.append(process)
        process.start()
        return process, url

    def _lag(self, group: str, of: Sequence[topics.Topic]) -> int:
        """Records of these topics that the group has not committed."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap.split(","), group_id=group, enable_auto_commit=False)
        try:
            partitions = self._partitions(of)
            ends = consumer.end_offsets(partitions)
            return sum(ends[partition] - (consumer.committed(partition) or 0) for partition in partitions)
        finally:
            consumer.close()

    def _partitions(self, of: Sequence[topics.Topic]) -> list[TopicPartition]:
        return [TopicPartition(topic.full_name(self.prefix), number) for topic in of for number in range(PARTITIONS)]

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        wait_for(condition, SETTLE_DEADLINE_S, what)
