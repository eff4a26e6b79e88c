"""Whatever is sent to whatever route: a clear answer, never 5xx, and what is kept can be read."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.event import Event
from schemas.routes import ROUTES
from schemas.rows import RejectedRow
from tests.support.asgi import InProcess, in_process
from tests.support.hostile import requests

ROOT = Path(__file__).parents[2]
FUZZ_S = 8
MIB = 1024 * 1024
ALLOWED_GROWTH_BYTES = 256 * MIB  # of the whole test process, hypothesis and all


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    before = peak_bytes()
    with in_process(tmp_path_factory.mktemp("fuzz"), max_body_bytes=MIB) as app:
        yield app
    assert peak_bytes() - before < ALLOWED_GROWTH_BYTES


def peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@pytest.mark.parametrize("route", ROUTES)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_request_breaks_a_route(collector: InProcess, route: str, data: st.DataObject) -> None:
    sent = data.draw(requests(route))
    answer = collector.request(sent.method, sent.path, query=sent.query, headers=sent.headers, body=sent.body)
    assert 200 <= answer.status < 500, (sent, answer)
    names = [name for name, _ in answer.headers]
    assert (b"access-control-allow-origin", b"*") not in answer.headers
    assert names.count(b"content-length") == (answer.status != 204)


def test_a_page_is_told_of_a_wrong_path_rather_than_of_cors(collector: InProcess) -> None:
    origin = {b"origin": b"https://shop.example"}
    asked = collector.request("OPTIONS", "/v1/evnts", headers=origin | {b"access-control-request-headers": b"x-a"})
    assert (asked.status, asked.body) == (204, b"")
    assert (b"access-control-allow-headers", b"x-a") in asked.headers
    answer = collector.request("POST", "/v1/evnts", headers=origin)
    assert (answer.status, b'"not_found"' in answer.body) == (404, True)
    for found in (asked, answer):
        assert (b"access-control-allow-origin", b"https://shop.example") in found.headers
    metrics = collector.request("GET", "/metrics").body
    assert b'snag_ingest_requests_total{route="none",status="404"} 1.0' in metrics


@pytest.mark.parametrize(
    ("path", "query", "place"),
    [
        ("/api/1/envelope/", b"sentry_key=no", b"DSN"),
        ("/e/", b"", b"project API key"),
        ("/com.snowplowanalytics.snowplow/tp2", b"", b"app id"),
        ("/mp/collect", b"api_secret=no", b"api_secret"),
    ],
)
def test_who_sends_a_wrong_key_is_told_where_it_stands(
    collector: InProcess, path: str, query: bytes, place: bytes
) -> None:
    body = b'{"event":"a","api_key":"no","data":[{"e":"pv","aid":"no"}]}'
    answer = collector.request("POST", path, query=query, body=body)
    assert (answer.status, place in answer.body) == (401, True)


def test_what_was_kept_can_be_read(collector: InProcess) -> None:
    collector.request("POST", "/v1/events", headers={b"x-write-key": b"wk_local"}, body=b'{"type":"click"}')
    kept = collector.spooled()
    assert kept
    for record in kept:
        model: type[Event | RejectedRow] = RejectedRow if record.topic == "rejected" else Event
        for line in record.value.split(b"\n"):
            msgspec.json.decode(line, type=model)


def test_coverage_guided_fuzzing_finds_nothing() -> None:
    pytest.importorskip("atheris", reason="NOT FUZZED by coverage: atheris has no build for this platform")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz", str(FUZZ_S)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-5000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs is not None, done.stderr[-5000:]
    assert int(runs[1]) > 0
