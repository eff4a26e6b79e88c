"""Who may send for a site: keys that change while the collector runs, and pages of other origins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.kafka.topics import create_topics
from tests.contract.test_ingest_http import DEADLINE_S, CollectorProcess
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

EVENT = {"type": "click"}
CONFIGURATION = """
[[sites]]
name = "shop"
write_keys = [{keys}]
allowed_origins = ["https://shop.example", "https://*.shop.example"]

[[sites]]
name = "blog"
write_keys = ["wk_blog"]
allowed_origins = ["https://blog.example"]
"""


def configure(directory: Path, *keys: str) -> None:
    """Write the file as an editor does: whole, then into place."""
    new = directory / "snag.toml.new"
    new.write_text(CONFIGURATION.format(keys=", ".join(map(json.dumps, keys))))
    new.replace(directory / "snag.toml")


@pytest.fixture(scope="module")
def collector(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    directory = tmp_path_factory.mktemp("sites")
    configure(directory, "wk_1")
    process = CollectorProcess(directory, kafka.bootstrap)
    create_topics(process.kafka)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)  # where a process looks for snag.toml
        process.start()
    process.wait_ready()
    yield process
    assert process.stop() == 0


def test_a_page_of_another_origin_is_refused(collector: CollectorProcess) -> None:
    answer = collector.post(EVENT, {"Origin": "https://evil.example"}, key="wk_1")
    assert (answer.status, answer.json["code"]) == (403, "origin_not_allowed")
    assert "allowed_origins" in answer.json["message"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["https://shop.example", "https://www.shop.example"])
def test_a_page_of_the_site_may_send(collector: CollectorProcess, origin: str) -> None:
    answer = collector.post(EVENT, {"Origin": origin}, key="wk_1")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_a_page_of_one_site_may_not_send_for_another(collector: CollectorProcess) -> None:
    answer = collector.post(EVENT, {"Origin": "https://blog.example"}, key="wk_1")
    assert (answer.status, answer.json["code"]) == (403, "origin_not_allowed")
    assert collector.post(EVENT, {"Origin": "https://blog.example"}, key="wk_blog").status == 200


def test_what_is_no_page_has_no_origin_and_may_send(collector: CollectorProcess) -> None:
    assert collector.post(EVENT, key="wk_1").status == 200


@pytest.mark.parametrize("path", ["/v1/events", "/v1/batch", "/i/v0/e", "/api/1/envelope"])
def test_a_preflight_is_answered_to_pages_of_any_site_only(collector: CollectorProcess, path: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, x-write-key"}
    allowed = collector.request("OPTIONS", path, headers=asked | {"Origin": "https://blog.example"})
    assert allowed.status == 204
    assert allowed.headers["access-control-allow-origin"] == "https://blog.example"
    assert allowed.headers["access-control-allow-headers"] == "content-type, x-write-key"
    assert int(allowed.headers["access-control-max-age"]) >= 7200
    refused = collector.request("OPTIONS", path, headers=asked | {"Origin": "https://evil.example"})
    assert refused.status == 403
    assert "access-control-allow-origin" not in refused.headers


def test_a_key_is_taken_up_and_withdrawn_without_a_restart(collector: CollectorProcess) -> None:
    directory = collector.log.parent
    assert collector.post(EVENT, key="wk_2").status == 401
    configure(directory, "wk_2")
    wait_for(lambda: collector.post(EVENT, key="wk_2").status == 200, DEADLINE_S, "the new key is known")
    assert collector.post(EVENT, key="wk_1").status == 401
    (directory / "snag.toml").write_text("no [toml")
    wait_for(lambda: "cannot be used" in collector.log.read_text(), DEADLINE_S, "the broken file is told in the log")
    assert collector.post(EVENT, key="wk_2").status == 200
    assert "wk_2" not in collector.log.read_text()
    configure(directory, "wk_1", "wk_2")
    wait_for(lambda: collector.post(EVENT, key="wk_1").status == 200, DEADLINE_S, "the old key is known again")
