"""Other wire formats over real HTTP: answers in the client's own shape, and no 5xx whatever is sent."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from deploy.local.kafka.topics import create_topics
from ingest.adapters.gif import GIF
from schemas.routes import ROUTES
from tests.contract.test_ingest_http import Answer, CollectorProcess
from tests.support.ports import free_port
from tests.support.stack import KafkaServer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

MAX_BODY_BYTES: Final = 100_000
PAYLOAD: Final = {
    "schema": "iglu:x/payload_data/jsonschema/1-0-4",
    "data": [{"e": "pv", "aid": "wk_local", "eid": "e1"}],
}
TP2: Final = "/com.snowplowanalytics.snowplow/tp2"
ID: Final = "80ed0ded341f41ab980f044ce360af71"
ENVELOPE: Final = b'{}\n{"type":"event"}\n{"message":"m","event_id":"%s"}\n{"type":"span"}\n{}' % ID.encode()
FORMATS: Final = sorted(name for name in ROUTES if name not in ("sdk_moving", "sdk_frozen"))


@pytest.fixture(scope="module")
def collector(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    env = {"SNAG_INGEST__MAX_BODY_BYTES": str(MAX_BODY_BYTES)}
    collector = CollectorProcess(tmp_path_factory.mktemp("formats"), kafka.bootstrap, env)
    create_topics(collector.kafka)
    collector.start()
    try:
        collector.wait_ready()
        yield collector
    finally:
        collector.stop()


def post(collector: CollectorProcess, path: str, body: Any, **headers: str) -> Answer:
    made = body if isinstance(body, bytes) else json.dumps(body).encode()
    return collector.request("POST", path, made, {name.replace("_", "-"): value for name, value in headers.items()})


def test_snowplow_is_answered_ok_by_its_app_id(collector: CollectorProcess) -> None:
    for path in (TP2, "/com.acme/track"):
        answer = post(collector, path, PAYLOAD)
        assert (answer.status, answer.body) == (200, b"ok")
    unknown = {"data": [{"e": "pv", "aid": "nobody"}]}
    assert post(collector, TP2, unknown).status == 401
    assert post(collector, "/acme/track", PAYLOAD).status == 404


def test_snowplow_is_never_answered_413(collector: CollectorProcess) -> None:
    for body in (b"x" * (MAX_BODY_BYTES + 1), gzip.compress(b" " * 10 * MAX_BODY_BYTES)):
        answer = post(collector, TP2, body)
        assert (answer.status, answer.json["code"]) == (400, "body_too_large")


@pytest.mark.parametrize("path", ["/i", "/ice.png", "/p.gif"])
def test_a_pixel_is_an_image_whatever_becomes_of_the_event(path: str, collector: CollectorProcess) -> None:
    key = "writeKey" if path == "/p.gif" else "aid"
    for query, status in (
        (f"{key}=wk_local&e=pv", 200),
        (f"{key}=nobody&e=pv", 401),
        (f"{key}=wk_local&ts=x&e=ue", 200),
    ):
        answer = collector.get(f"{path}?{query}")
        assert (answer.status, answer.body, answer.headers["content-type"]) == (status, GIF, "image/gif")


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zlib.compress])
def test_sentry_is_told_the_events_id(compress: Any, collector: CollectorProcess) -> None:
    body = compress(ENVELOPE)
    auth = "Sentry sentry_key=wk_local, sentry_version=7"
    for path, headers in (
        ("/api/42/envelope/?sentry_key=wk_local", {}),
        ("/api/42/envelope/", {"X_Sentry_Auth": auth}),
    ):
        answer = post(collector, path, body, **headers)
        assert (answer.status, answer.json) == (200, {"id": ID})


def test_an_envelope_may_come_in_chunks_and_bring_its_key(collector: CollectorProcess) -> None:
    head = b'{"dsn":"http://wk_local@127.0.0.1/42"}\n'
    chunks = (part for part in (head, b'{"type":"event"}\n', b'{"message":"m"}'))
    answer = collector.request("POST", "/api/42/envelope/", chunks, {})  # type: ignore[arg-type]
    assert answer.status == 200


def test_skipped_items_are_counted(collector: CollectorProcess) -> None:
    sample = 'snag_ingest_parts_skipped_total{part="span",route="sentry"}'
    before = collector.metric(sample)
    assert post(collector, "/api/42/envelope/?sentry_key=wk_local", ENVELOPE).status == 200
    assert collector.metric(sample) == before + 1


def test_clients_that_send_once_are_taken_while_kafka_is_away(tmp_path: Path) -> None:
    """They would never come again: the spool takes what they send, by fsync before the answer."""
    collector = CollectorProcess(tmp_path, f"127.0.0.1:{free_port()}")
    collector.start()
    try:
        assert collector.get("/ready").json["kafka"] != "up"
        answers = [
            post(collector, "/api/42/envelope/?sentry_key=wk_local", ENVELOPE),
            post(collector, "/v1/vitals?writeKey=wk_local", {"name": "LCP", "value": 1, "id": "v6-1"}),
            post(collector, "/v1/reports?writeKey=wk_local", [{"type": "crash", "url": "https://x/", "body": {}}]),
            collector.get("/p.gif?writeKey=wk_local"),
        ]
        assert [answer.status for answer in answers] == [200] * 4
    finally:
        collector.stop()


def test_ga4_is_answered_no_content_and_validated(collector: CollectorProcess) -> None:
    body = {"client_id": "v1", "events": [{"name": "purchase"}]}
    answer = post(collector, "/mp/collect?api_secret=wk_local", body)
    assert (answer.status, answer.body) == (204, b"")
    assert post(collector, "/debug/mp/collect?api_secret=wk_local", body).json == {"validationMessages": []}
    assert post(collector, "/debug/mp/collect", {}).json["validationMessages"] != []


def test_a_beacon_of_another_origin_may_read_its_answer(collector: CollectorProcess) -> None:
    metric = {"name": "LCP", "value": 1, "id": "v6-1"}
    answer = post(
        collector, "/v1/vitals?writeKey=wk_local", [metric], Origin="https://shop.example", Content_Type="text/plain"
    )
    assert answer.json == {"accepted": 1, "rejected": []}
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_reports_are_preflighted(collector: CollectorProcess) -> None:
    headers = {"Origin": "https://shop.example", "Access-Control-Request-Headers": "content-type"}
    answer = collector.request("OPTIONS", "/v1/reports?writeKey=wk_local", None, headers)
    assert answer.status == 204
    assert answer.headers["access-control-allow-headers"] == "content-type"


HOSTILE: Final = (
    b"",
    b"\x00",
    b"\xff\xfe\x00",
    b"null",
    b"[" * 50_000,
    b'{"data":' * 10_000,
    b'{"a":1e999}',
    b'[{"type":"\\ud800"}]',
    b"[" + b"{}," * 20_000 + b"{}]",
    b"data=%ff&payload=%",
    gzip.compress(b"{}")[:-9],
    b"\x1f\x8b" + b"\x00" * 30,
    b"\x28\xb5\x2f\xfd" + b"\xff" * 30,
    b'{}\n{"type":"event","length":99999999999999999999}\n{}',
    b'{"data":[{"e":"ue","ue_px":"' + b"A" * 1001 + b'","aid":"wk_local"}]}',
)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_that_is_sent_makes_the_collector_fail(name: str, collector: CollectorProcess) -> None:
    route = ROUTES[name]  # type: ignore[index]
    for pattern in route.paths:
        path = pattern.replace("{domain}", "com").translate(str.maketrans("", "", "{}"))
        for body in HOSTILE:
            arguments = f"writeKey=wk_local&sentry_key=wk_local&api_secret=wk_local&aid=wk_local&x={quote(body[:200])}"
            for method in route.methods:
                answer = collector.request(method, f"{path}?{arguments}", body if method == "POST" else None, {})
                assert answer.status < 500, (path, body[:60], answer)
    assert collector.get("/health").status == 200
