from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from processors.health import serve_health
from processors.writer.ping import clickhouse_answers
from schemas.metrics import Metrics
from tests.support.ports import free_port


class Port:
    """A health port whose verdicts the test sets."""

    def __init__(self) -> None:
        self.alive = self.ready = ""
        metrics = Metrics()
        metrics.counter("snag_writer_rows_total", "clickstream").inc(3)
        self.server = serve_health(0, alive=lambda: self.alive, ready=lambda: self.ready, registry=metrics.registry)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.server.server_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def port() -> Iterator[Port]:
    made = Port()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_ready_says_why_not(port: Port) -> None:
    assert port.get("/ready") == (200, '{"ready": true}')
    port.ready = "no partitions"
    status, body = port.get("/ready?x=1")
    assert status == 503
    assert json.loads(body) == {"ready": False, "reason": "no partitions"}


def test_health_and_metrics_and_nothing_else(port: Port) -> None:
    assert port.get("/health") == (200, '{"healthy": true}')
    port.alive = "stuck"
    assert port.get("/health")[0] == 503
    assert 'snag_writer_rows_total{table="clickstream"} 3.0' in port.get("/metrics")[1]
    assert port.get("/")[0] == 404


def test_a_clickhouse_that_is_not_there_is_named_with_the_fix() -> None:
    reason = clickhouse_answers(f"http://127.0.0.1:{free_port()}")()
    assert "does not answer" in reason
    assert "SNAG_CLICKHOUSE__URL" in reason
