"""The real clients of other vendors against the real collector: what they send is in ClickHouse, once, on bad days too.

Each client has a forwarder of its own in front of the collector, which refuses, or swallows answers, and knows what was
acknowledged. All clients of a scenario run side by side; the collector is killed once for all of them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from deploy.local.kafka.topics import create_topics
from processors.writer.migrate import migrate
from schemas.settings import ClickHouseSettings
from tests.contract.test_ingest_http import CollectorProcess
from tests.integration.test_writer import WriterProcess
from tests.support import clients
from tests.support.clients import CATALOGUE, Client, Row, Sent
from tests.support.forwarder import ACKNOWLEDGED, Fault, Forwarder, forwarder
from tests.support.stack import ClickHouseServer, KafkaServer
from tests.support.wait import wait_for
from tests.support.whereabouts import Searched

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ARRIVAL_DEADLINE_S = 60
TABLES = ("clickstream", "errors", "checkouts")
VISITS = 2
VISITS_OF_A_KILL = 6
PAUSE_OF_A_KILL_S = 0.1  # 30 events in at least three seconds: the collector dies in the middle of them

BAD_DAYS: dict[str, Sequence[Fault]] = {
    "nothing": (),
    "429": ("429", "429"),
    "503": ("503", "swallow"),
}


@dataclass
class Pipeline:
    """A collector and a writer on the session's broker and engine."""

    collector: CollectorProcess
    clickhouse: ClickHouseServer
    database: str

    def rows(self, ids: Sequence[str]) -> list[Row]:
        """All rows with these event ids, as readers see them."""
        with self._client() as client:
            found: list[Row] = []
            for table in TABLES:
                sql = f"SELECT *, '{table}' AS table FROM {table} FINAL WHERE event_id IN {{ids:Array(String)}}"
                found += client.query(sql, parameters={"ids": list(ids)}).named_results()
            return found

    def messages(self, part: str) -> list[str]:
        """The messages of all errors that have `part` in it, as readers see them."""
        with self._client() as client:
            sql = "SELECT message FROM errors FINAL WHERE position(message, {part:String}) > 0"
            return [row["message"] for row in client.query(sql, parameters={"part": part}).named_results()]

    def whereabouts(self, ids: set[str], front: Forwarder) -> str:
        """Where on their way these events are."""
        with self._client() as client:
            searched = Searched(
                answered=front.acknowledged,
                spool=Path(self.collector.env["SNAG_INGEST__SPOOL_DIR"]),
                kafka=self.collector.kafka,
                clickhouse=client,
                tables=(*TABLES, "rejected"),
            )
            return searched.tell(ids)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        host, port = self.clickhouse.url.removeprefix("http://").split(":")
        client = clickhouse_connect.get_client(
            host=host, port=int(port), database=self.database, autogenerate_session_id=False
        )
        try:
            yield client
        finally:
            client.close()


@pytest.fixture(scope="module")
def pipeline(
    kafka: KafkaServer, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    directory = tmp_path_factory.mktemp("clients")
    collector = CollectorProcess(directory / "collector", kafka.bootstrap)
    create_topics(collector.kafka)
    database = f"clients_{uuid.uuid4().hex[:8]}"
    migrate(ClickHouseSettings(url=clickhouse.url, database=database))
    writer = WriterProcess(
        directory / "writer",
        {
            "SNAG_KAFKA__BOOTSTRAP": kafka.bootstrap,
            "SNAG_KAFKA__TOPIC_PREFIX": collector.kafka.topic_prefix,
            "SNAG_CLICKHOUSE__URL": clickhouse.url,
            "SNAG_CLICKHOUSE__DATABASE": database,
            "SNAG_WRITER__GROUP": database,
            "SNAG_WRITER__INSERT_INTERVAL_S": "0.2",
        },
    )
    collector.start()
    writer.start()
    try:
        collector.wait_ready()
        yield Pipeline(collector, clickhouse, database)
    finally:
        collector.stop()
        writer.stop()


@dataclass
class Outcome:
    """What one client sent in one scenario, and what became of it."""

    client: Client
    sent: list[Sent]
    failed: set[str]
    forwarder: Forwarder

    @property
    def acknowledged(self) -> set[str]:
        """The ids in requests that were answered 200 or 204."""
        ids = (event["id"] for event in self.sent)
        return {id_ for id_ in ids if self.forwarder.was_acknowledged(self.client.named % id_)}


class Scenarios:
    """Runs a scenario for all clients at once, the first time that a test asks for it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._done: dict[str, dict[str, Outcome]] = {}

    def outcome(self, scenario: str, client: Client) -> Outcome:
        if scenario not in self._done:
            self._done[scenario] = self._run(scenario)
        return self._done[scenario][client.name]

    def _run(self, scenario: str) -> dict[str, Outcome]:
        killed = scenario == "kill"
        collector = self._pipeline.collector
        with ExitStack() as stack:
            running = {}
            for client in CATALOGUE:
                front = stack.enter_context(forwarder(collector.port, BAD_DAYS.get(scenario, ())))
                events = client.story(uuid.uuid4().hex[:8], VISITS_OF_A_KILL if killed else VISITS)
                pause_s = PAUSE_OF_A_KILL_S if killed else 0
                running[client.name] = front, clients.start(client, front.address, events, pause_s=pause_s)
            if killed:
                wait_for(
                    lambda: all(front.acknowledged or not run.is_running for front, run in running.values()),
                    ARRIVAL_DEADLINE_S,
                    "every client was answered once",
                )
                collector.kill()
                collector.start()
            return {
                name: Outcome(run.client, run.events, run.finish(), front) for name, (front, run) in running.items()
            }


@pytest.fixture(scope="module")
def scenarios(pipeline: Pipeline) -> Scenarios:
    return Scenarios(pipeline)


each_client = pytest.mark.parametrize("client", CATALOGUE, ids=lambda client: client.name)


@each_client
def test_what_is_sent_arrives_as_it_was_sent(client: Client, scenarios: Scenarios, pipeline: Pipeline) -> None:
    outcome = scenarios.outcome("nothing", client)
    assert outcome.failed == set()
    rows = wait_for_rows(pipeline, outcome.forwarder, {event["id"] for event in outcome.sent})
    wanted = {event["id"]: client.row(event) for event in outcome.sent}
    assert {id_: as_in(rows[id_], row) for id_, row in wanted.items()} == wanted
    assert {rows[id_]["ts_source"] for id_ in wanted} == {"client" if client.timed else "received"}
    assert outcome.acknowledged == set(wanted)


@each_client
@pytest.mark.parametrize("scenario", ["429", "503", "kill"])
def test_nothing_is_lost_and_nothing_counts_twice(
    scenario: str, client: Client, scenarios: Scenarios, pipeline: Pipeline
) -> None:
    outcome = scenarios.outcome(scenario, client)
    sent = {event["id"] for event in outcome.sent}
    rows = wait_for_rows(pipeline, outcome.forwarder, outcome.acknowledged)
    assert outcome.acknowledged <= set(rows)
    if scenario not in client.loses:
        lost = sent - outcome.acknowledged - outcome.failed
        assert lost == set(), "the client neither had an answer nor said that it gave up"
        if scenario != "kill":
            assert outcome.failed == set()
    elif scenario != "kill":  # which it may have survived by luck
        assert len(outcome.acknowledged) < len(sent), f"{client.name} does not lose on {scenario} any more"
    if BAD_DAYS.get(scenario):
        statuses = set(outcome.forwarder.statuses)
        assert statuses & {429, 503}
        assert statuses & set(ACKNOWLEDGED) or scenario in client.loses


def wait_for_rows(pipeline: Pipeline, front: Forwarder, ids: set[str]) -> dict[str, Row]:
    """Rows by event id once all `ids` are there; each is there once, and nothing is left of a second."""
    asked = sorted(ids)
    try:
        wait_for(lambda: len(pipeline.rows(asked)) >= len(asked), ARRIVAL_DEADLINE_S, f"{len(asked)} rows")
    except AssertionError as error:
        missing = ids - {row["event_id"] for row in pipeline.rows(asked)}
        raise AssertionError(f"{error}\n{pipeline.whereabouts(missing, front)}") from error
    rows = pipeline.rows(asked)
    assert sorted(row["event_id"] for row in rows) == asked
    return {row["event_id"]: row for row in rows}


def as_in(row: Row, wanted: Row) -> Row:
    """Of `row` the columns, and of its props the properties, that `wanted` names."""
    return {name: _props(row, value) if name == "props" else row[name] for name, value in wanted.items()}


def _props(row: Row, wanted: dict[str, Any]) -> dict[str, Any]:
    props = row["props"] if isinstance(row["props"], dict) else json.loads(row["props"])
    return {name: props.get(name) for name in wanted}
