"""What the collector promises over HTTP, kept by the real process on the real broker."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import ssl
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from kafka import TopicPartition

from deploy.local.kafka.topics import create_topics, partitions_of
from schemas import jsonschema as event_schema
from schemas import openapi
from schemas.event import Event, partition_key
from schemas.rows import RejectedRow
from schemas.settings import KafkaSettings
from schemas.topics import NDJSON, RAW, RECEIVED_AT_HEADER, REJECTED, TOPIC_OF_KIND, Topic, partition_of
from tests.support.ports import free_port
from tests.support.records import records_at
from tests.support.stack import KafkaServer, ServerProcess
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

PARTITIONS = 4
DEADLINE_S = 60


@dataclass(frozen=True)
class Answer:
    """A status, headers with lower-case names, and a body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class CollectorProcess(ServerProcess):
    """`python -m ingest` on a free port, with topics of its own and its spool in `directory`."""

    def __init__(
        self,
        directory: Path,
        bootstrap: str,
        env: dict[str, str] | None = None,
        *,
        tmpfs: tuple[Path, int] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tmpfs`: a directory that only this process sees as a file system of its own, and how many bytes it holds."""
        self._tls = tls
        self.port = free_port()
        self.kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:8]}_", partitions=PARTITIONS)
        directory.mkdir(parents=True, exist_ok=True)
        self.env = {
            "SNAG_KAFKA__BOOTSTRAP": bootstrap,
            "SNAG_KAFKA__TOPIC_PREFIX": self.kafka.topic_prefix,
            "SNAG_INGEST__SPOOL_DIR": str(directory / "spool"),
            **(env or {}),
            "SNAG_INGEST__PORT": str(self.port),
        }
        command = [sys.executable, "-m", "ingest"]
        if tmpfs is not None:
            place, size_bytes = tmpfs
            mount = f'mount -t tmpfs -o size={size_bytes} tmpfs {place} && exec "$@"'
            command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", *command]
        super().__init__(
            "collector",
            lambda: command,
            lambda: self.get("/health").status == 200,
            directory / "collector.log",
            self.env,
        )

    def twin(self, directory: Path) -> CollectorProcess:
        """Another collector with the same settings on another port."""
        twin = CollectorProcess(directory, self.kafka.bootstrap, self.env)
        twin.kafka = self.kafka
        return twin

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        if self._tls is not None:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=30, context=self._tls)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, data: Any, headers: dict[str, str] | None = None, key: str = "wk_local") -> Answer:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        return self.request("POST", "/v1/events", body, {"X-Write-Key": key} | (headers or {}))

    def wait_ready(self) -> None:
        wait_for(lambda: self.get("/ready").json["kafka"] == "up", DEADLINE_S, "the collector is ready")

    def metric(self, sample: str) -> float:
        lines = self.get("/metrics").body.decode().splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{sample} ")), 0.0)


@dataclass(frozen=True)
class Line:
    """One line of a topic, and where it lay."""

    topic: str
    partition: int
    value: bytes
    headers: dict[str, bytes]


def read_lines(kafka: KafkaSettings, topics: Sequence[Topic]) -> list[Line]:
    """Every line that is in `topics` now."""
    names = {topic.full_name(kafka.topic_prefix): topic for topic in topics}
    places = [TopicPartition(name, p) for name, topic in names.items() for p in range(partitions_of(topic, kafka))]
    lines: list[Line] = []
    for record in records_at(kafka.bootstrap, places):
        assert record.key is None
        lines.extend(
            Line(names[record.topic].name, record.partition, value, dict(record.headers))
            for value in record.value.split(b"\n")
        )
    return lines


def read_events(kafka: KafkaSettings) -> list[Event]:
    """Every event in the raw topics now; each lies in its topic and partition."""
    events = []
    for line in read_lines(kafka, RAW):
        event = msgspec.json.decode(line.value, type=Event)
        assert line.topic == TOPIC_OF_KIND[event.kind].name
        assert line.partition == partition_of(partition_key(event), kafka.partitions)
        assert line.headers["content-type"] == NDJSON.encode()
        assert int(line.headers[RECEIVED_AT_HEADER]) >= event.received_at.timestamp() * 1000
        events.append(event)
    return events


@pytest.fixture(scope="module")
def collector(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    limits = {"SNAG_INGEST__MAX_BODY_BYTES": "1000000", "SNAG_INGEST__MAX_BATCH_EVENTS": "100"}
    process = CollectorProcess(tmp_path_factory.mktemp("collector"), kafka.bootstrap, limits)
    create_topics(process.kafka)
    process.start()
    process.wait_ready()
    yield process
    assert process.stop() == 0


def test_every_accepted_event_is_in_kafka_once_in_its_topic_and_partition(collector: CollectorProcess) -> None:
    run = uuid.uuid4().hex
    types = ["page_view", "js_error", "order_completed", "own_type"]
    sent = [
        {"event_id": f"{run}-{i}", "type": types[i % 4], "visitor_id": f"v{i % 7}", "url": "https://a.example/b?c"}
        for i in range(90)
    ]
    answers = [collector.post(sent[0]), collector.post(sent[1:30]), collector.post({"batch": sent[30:60]})]
    answers.append(collector.post("\n".join(map(json.dumps, sent[60:])).encode()))
    assert [answer.status for answer in answers] == [200] * 4
    assert [answer.json for answer in answers] == [{"accepted": n, "rejected": []} for n in (1, 29, 30, 30)]
    kept = [event for event in read_events(collector.kafka) if event.event_id.startswith(run)]
    assert sorted(event.event_id for event in kept) == sorted(event["event_id"] for event in sent)
    for line in read_lines(collector.kafka, RAW):
        jsonschema.validate(json.loads(line.value), event_schema.document())


def test_one_visitors_events_of_all_kinds_share_a_partition(collector: CollectorProcess) -> None:
    visitor = uuid.uuid4().hex
    types = ["page_view", "js_error", "order_completed", "click", "payment_failed"]
    assert collector.post([{"type": type_, "visitor_id": visitor} for type_ in types]).status == 200
    lines = [line for line in read_lines(collector.kafka, RAW) if visitor.encode() in line.value]
    assert len(lines) == len(types)
    assert len({line.topic for line in lines}) == 3
    assert len({line.partition for line in lines}) == 1


def test_one_bad_event_among_forty_nine_good_ones(collector: CollectorProcess) -> None:
    run = uuid.uuid4().hex
    sent: list[Any] = [{"event_id": f"{run}-{i}", "type": "click"} for i in range(49)]
    sent.insert(20, {"event_id": f"{run}-bad", "type": "click", "kind": "nonsense"})
    answer = collector.post(sent)
    assert answer.status == 200
    assert answer.json["accepted"] == 49
    (verdict,) = answer.json["rejected"]
    assert (verdict["index"], verdict["event_id"]) == (20, f"{run}-bad")
    assert (verdict["code"], verdict["field"]) == ("unknown_kind", "kind")
    assert len([event for event in read_events(collector.kafka) if event.event_id.startswith(run)]) == 49
    rows = [msgspec.json.decode(line.value, type=RejectedRow) for line in read_lines(collector.kafka, [REJECTED])]
    (row,) = [row for row in rows if row.event_id == f"{run}-bad"]
    assert (row.site, row.stage, row.index, row.code, row.field) == ("shop", "ingest", 20, "unknown_kind", "kind")
    assert (row.message, json.loads(row.raw)) == (verdict["message"], sent[20])


def test_a_request_of_only_bad_events_was_processed_all_the_same(collector: CollectorProcess) -> None:
    answer = collector.post([5, {"type": "click", "ts": "yesterday"}, {"type": "click", "props": {"v": "x" * 300_000}}])
    assert answer.status == 200
    assert answer.json["accepted"] == 0
    codes = [(r["index"], r["code"], r["field"]) for r in answer.json["rejected"]]
    assert codes == [(0, "not_an_object", ""), (1, "invalid_timestamp", "ts"), (2, "too_large", "")]
    rows = [msgspec.json.decode(line.value, type=RejectedRow) for line in read_lines(collector.kafka, [REJECTED])]
    assert [len(row.raw) for row in rows if row.code == "too_large"] == [8192]


@pytest.mark.parametrize("body", [b'[{"type":"click"},', b'{"type":"a', b"[" * 900_000, b"\xff\xfe{}"])
def test_an_unreadable_body_is_answered_400_and_kept(collector: CollectorProcess, body: bytes) -> None:
    def kept() -> list[str]:
        rows = [msgspec.json.decode(line.value, type=RejectedRow) for line in read_lines(collector.kafka, [REJECTED])]
        return [row.raw for row in rows]

    raw = body[:8192].decode(errors="replace")
    before = kept().count(raw)
    answer = collector.post(body)
    assert answer.status == 400
    assert set(answer.json) == {"code", "message", "detail", "error"}
    assert answer.json["code"] in ("invalid_json", "too_deep")
    assert kept().count(raw) == before + 1


def test_missing_ids_and_times_are_supplied(collector: CollectorProcess) -> None:
    mark = uuid.uuid4().hex
    events = [
        {"type": "click", "element": mark},
        {"type": "click", "element": mark, "ts": "2100-01-01T00:00:00Z"},
        {"type": "click", "element": mark, "ts": "2015-06-01T02:00:00+02:00"},
    ]
    assert collector.post(events).json == {"accepted": 3, "rejected": []}
    kept = {
        event.ts_source + str(event.ts.year): event for event in read_events(collector.kafka) if event.element == mark
    }
    assert len({event.event_id for event in kept.values()}) == 3
    now = next(iter(kept.values())).received_at
    assert kept.keys() == {f"received{now.year}", f"received_future{now.year}", "client2015"}
    future = kept[f"received_future{now.year}"]
    assert future.client_ts is not None
    assert (future.ts, future.client_ts.year) == (future.received_at, 2100)


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def test_a_key_may_come_in_four_ways(collector: CollectorProcess) -> None:
    event = b'{"type":"click"}'
    for path, headers in [
        ("/v1/events", basic("wk_local")),
        ("/v1/events", {"Authorization": "Bearer wk_local"}),
        ("/v1/events", {"X-Write-Key": "wk_local"}),
        ("/v1/events?writeKey=wk_local", {}),
    ]:
        assert collector.request("POST", path, event, headers).status == 200


@pytest.mark.parametrize("headers", [{}, basic("wrong"), {"X-Write-Key": "wrong"}, {"Authorization": "Bearer wrong"}])
def test_a_wrong_or_missing_key_is_401_and_the_answer_names_the_fix(
    collector: CollectorProcess, headers: dict[str, str]
) -> None:
    answer = collector.request("POST", "/v1/events", b'{"type":"click"}', headers)
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert "X-Write-Key" in answer.json["message"]


def test_a_gzipped_body_is_taken_with_or_without_its_header(collector: CollectorProcess) -> None:
    body = gzip.compress(b'[{"type":"click"},{"type":"click"}]')
    assert collector.post(body).json["accepted"] == 2
    assert collector.post(body, {"Content-Encoding": "gzip"}).json["accepted"] == 2


def test_a_beacon_needs_no_preflight_and_its_answer_may_be_read(collector: CollectorProcess) -> None:
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Origin": "https://shop.example"}
    answer = collector.request("POST", "/v1/events?writeKey=wk_local", b'{"type":"click"}', headers)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "origin"


def test_a_preflight_allows_what_it_asks_for(collector: CollectorProcess) -> None:
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-own",
    }
    answer = collector.request("OPTIONS", "/v1/events", None, asked)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-headers"] == "authorization,x-own"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert int(answer.headers["access-control-max-age"]) >= 3600


def test_a_refusal_may_be_read_by_the_page_too(collector: CollectorProcess) -> None:
    answer = collector.request("POST", "/v1/events", b"{}", {"Origin": "https://shop.example"})
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b" " * 1_000_001, {}, 413, "body_too_large"),
        (gzip.compress(b"[" * 10_000_000), {}, 413, "body_too_large"),
        (json.dumps([{"type": "a"}] * 101).encode(), {}, 413, "too_many_events"),
        (b"", {}, 400, "empty_body"),
        (b'{"batch":7}', {}, 400, "invalid_batch"),
        (b"\x0b\x02\x80", {"Content-Encoding": "compress"}, 415, "unsupported_encoding"),
        (gzip.compress(b"{}")[:-3], {}, 400, "invalid_encoding"),
    ],
)
def test_limits_are_answered_with_a_json_error(
    collector: CollectorProcess, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = collector.post(body, headers)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.json["error"] == answer.json["message"]


def test_other_routes_and_methods(collector: CollectorProcess) -> None:
    assert collector.get("/nowhere").status == 404
    assert collector.get("/v1/events").status == 405
    assert collector.get("/v1/events").headers["allow"] == "POST, OPTIONS"
    assert collector.request("POST", "/health", b"").status == 405
    assert collector.get("/health").json == {"status": "ok"}
    assert collector.get("/ready").json["ready"] is True


def test_metrics_count_what_happened(collector: CollectorProcess) -> None:
    accepted = 'snag_ingest_events_accepted_total{kind="error",route="events",site="shop"}'
    rejected = 'snag_ingest_events_rejected_total{code="missing_type",route="events",site="shop"}'
    requests = 'snag_ingest_requests_total{route="events",status="200"}'
    before = [collector.metric(sample) for sample in (accepted, rejected, requests)]
    collector.post([{"type": "crash"}, {}, {"type": "js_error"}])
    after = [collector.metric(sample) for sample in (accepted, rejected, requests)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1, 1]
    assert collector.metric("snag_ingest_kafka_up") == 1
    assert collector.metric("snag_ingest_in_flight_bytes") == 0


def test_answers_are_what_the_openapi_document_says(collector: CollectorProcess) -> None:
    document = openapi.document()
    responses = document["paths"]["/v1/events"]["post"]["responses"]
    for body in (b'[{"type":"click"},5]', b"", b"nonsense", b" " * 1_000_001):
        answer = collector.post(body)
        schema = responses[str(answer.status)]["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json, {**schema, "components": document["components"]})
