"""What the running collector makes of who is asking: agents, addresses, opt-outs, cookies, limits, secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from deploy.local.kafka.topics import create_topics
from schemas.event import Event
from schemas.rows import ErasureRow
from schemas.topics import ERASURES, RAW, REJECTED
from tests.contract.test_ingest_http import CollectorProcess, read_events, read_lines
from tests.support.stack import KafkaServer

pytestmark = pytest.mark.integration

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ORIGIN = {"Origin": "https://shop.example"}


@pytest.fixture(scope="module")
def geoip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    writer = MMDBWriter(ip_version=4, database_type="Test-Country")
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"country": {"iso_code": "DE"}})
    path = tmp_path_factory.mktemp("geoip") / "countries.mmdb"
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="module")
def collector(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory, geoip: Path) -> Iterator[CollectorProcess]:
    env = {
        "SNAG_PRIVACY__IP": "truncate",
        "SNAG_PRIVACY__GEOIP": str(geoip),
        "SNAG_PRIVACY__TRUSTED_PROXIES": '["127.0.0.0/8"]',
        "SNAG_PRIVACY__COOKIE": '{"enabled": true}',
        "SNAG_PRIVACY__FORGET_KEY": "fk_secret",
        "SNAG_LIMITS__REQUESTS_PER_IP": "100/hour",
        "SNAG_LIMITS__REQUESTS_PER_KEY": "400/hour",  # more than all other tests here send together
        "SNAG_SITES": json.dumps([{"name": "shop", "write_keys": ["wk_local"]}, {"name": "b", "write_keys": ["wk_b"]}]),
        "SNAG_LIMITS__HOT_EVENTS_PER_MINUTE": "20",
    }
    process = CollectorProcess(tmp_path_factory.mktemp("collector"), kafka.bootstrap, env)
    create_topics(process.kafka)
    process.start()
    process.wait_ready()
    yield process
    assert process.stop() == 0


def kept(collector: CollectorProcess, id_: str, headers: dict[str, str] | None = None, **fields: Any) -> Event:
    """The event in Kafka that the collector made of one with `fields`, sent with `headers`."""
    answer = collector.post({"type": "page_view", "event_id": id_} | fields, headers)
    assert answer.json == {"accepted": 1, "rejected": []}
    (event,) = [event for event in read_events(collector.kafka) if event.event_id == id_]
    return event


def test_agent_and_address_of_a_browser_come_onto_its_events(collector: CollectorProcess) -> None:
    headers = {"User-Agent": FIREFOX, "X-Forwarded-For": "192.0.2.1, 198.51.100.77", **ORIGIN}
    event = kept(collector, "person", headers, visitor_id="v", ip="203.0.113.5")
    assert (event.device, event.browser, event.os, event.is_bot) == ("desktop", "Firefox", "Linux", False)
    assert (event.country, event.ip, event.visitor_id) == ("DE", "198.51.100.0", "v")


def test_bots_are_flagged_and_kept(collector: CollectorProcess) -> None:
    assert kept(collector, "bot", {"User-Agent": GOOGLEBOT}).is_bot
    assert not kept(collector, "library", {"User-Agent": "python-requests/2.32"}).is_bot
    assert kept(collector, "own agent", user_agent=GOOGLEBOT).is_bot


@pytest.mark.parametrize("signal", ["DNT", "Sec-GPC"])
def test_who_opted_out_is_counted_without_ids(collector: CollectorProcess, signal: str) -> None:
    ids = {"visitor_id": "v", "session_id": "s", "user_id": "u"}
    answer = collector.post({"type": "page_view", "event_id": f"out {signal}"} | ids, {signal: "1", **ORIGIN})
    assert (answer.status, answer.json["accepted"]) == (200, 1)
    assert "set-cookie" not in answer.headers
    (event,) = [event for event in read_events(collector.kafka) if event.event_id == f"out {signal}"]
    assert (event.visitor_id, event.session_id, event.user_id, event.ip) == ("", "", "", "")


def test_a_browser_without_an_id_is_known_by_its_cookie(collector: CollectorProcess) -> None:
    first = collector.post({"type": "page_view", "event_id": "cookie 1"}, ORIGIN)
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    second = collector.post({"type": "page_view", "event_id": "cookie 2"}, ORIGIN | {"Cookie": cookie.split(";")[0]})
    assert "set-cookie" not in second.headers
    assert "set-cookie" not in collector.post({"type": "page_view", "event_id": "no browser"}).headers
    visitors = {event.event_id: event.visitor_id for event in read_events(collector.kafka)}
    assert visitors["cookie 1"] == visitors["cookie 2"] != ""
    assert visitors["no browser"] == ""


def test_secrets_never_reach_kafka(collector: CollectorProcess) -> None:
    secrets = ["hunter2", "4111 1111 1111 1111", "joe@mail.example", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"]
    url = f"https://shop.example/a?token={secrets[0]}&m={secrets[2]}#{secrets[3]}"
    event = kept(
        collector,
        "secret",
        type="js_error",
        url=url,
        title=secrets[1],
        props={"password": secrets[0], "n": [secrets[2]]},
    )
    assert event.url == "https://shop.example/a?token=[masked]&m=[email]#[masked]"
    assert (event.title, event.props) == ("[card]", {"password": "[masked]", "n": ["[email]"]})
    assert collector.post({"ts": "nonsense", "title": secrets[1], "m": secrets[2]}).json["accepted"] == 0
    everything = b"\n".join(line.value for line in read_lines(collector.kafka, (*RAW, REJECTED))).decode()
    assert [secret for secret in secrets if secret in everything] == []


def test_a_hot_visitor_is_flagged_spread_and_kept(collector: CollectorProcess) -> None:
    batch = [{"type": "click", "event_id": f"hot {n}", "visitor_id": "robot"} for n in range(60)]
    assert collector.post(batch).json["accepted"] == 60
    lines = [line for line in read_lines(collector.kafka, RAW) if b'"hot ' in line.value]
    hot = [line for line in lines if b'"is_hot":true' in line.value]
    assert len(lines) == 60
    assert 40 <= len(hot) <= 50
    assert len({line.partition for line in hot}) > 1
    assert len({line.partition for line in lines if line not in hot}) == 1


def test_only_who_has_the_key_may_have_somebody_forgotten(collector: CollectorProcess) -> None:
    def forget(body: dict[str, str], **headers: str) -> Any:
        known = {"X-Write-Key": "wk_local"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return collector.request("POST", "/v1/forget", json.dumps(body).encode(), known)

    assert forget({"visitor_id": "v"}).status == 401
    assert forget({"visitor_id": "v"}, X_Forget_Key="wrong").status == 401
    assert forget({"visitor_id": "v"}, X_Forget_Key="fk_secret", X_Write_Key="wrong").status == 401
    assert forget({}, X_Forget_Key="fk_secret").json["code"] == "nobody_to_forget"
    answer = forget({"visitor_id": "v", "user_id": "u"}, X_Forget_Key="fk_secret", DNT="1")
    assert (answer.status, answer.json) == (200, {"listed": True})
    assert "Max-Age=0" in answer.headers["set-cookie"]
    lines = read_lines(collector.kafka, [ERASURES])
    rows = [msgspec.json.decode(line.value, type=ErasureRow) for line in lines]
    assert [(row.site, row.visitor_id, row.user_id) for row in rows] == [("shop", "v", ""), ("shop", "", "u")]


def test_one_address_too_many_times_is_told_when_to_come_back(collector: CollectorProcess) -> None:
    headers = {"X-Forwarded-For": "203.0.113.200"}
    statuses = [collector.post({"type": "click"}, headers).status for _ in range(101)]
    assert statuses == [200] * 100 + [429]
    refused = collector.post({"type": "click"}, headers)
    assert refused.json["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert collector.post({"type": "click"}, {"X-Forwarded-For": "203.0.113.201"}).status == 200


def test_one_key_too_many_times_is_told_so_whatever_the_format_and_no_other_key_is(collector: CollectorProcess) -> None:
    def post(n: int) -> Any:
        headers = {"X-Forwarded-For": f"203.0.113.{n % 20}"}
        if n % 2:
            return collector.post({"type": "click"}, headers, key="wk_b")
        batch = {"writeKey": "wk_b", "batch": [{"type": "page", "anonymousId": "v"}]}
        return collector.request("POST", "/v1/batch", json.dumps(batch).encode(), headers)

    answers = [post(n) for n in range(402)]
    assert [answer.status for answer in answers] == [200] * 400 + [429] * 2
    for refused in answers[-2:]:
        assert refused.json["code"] == "rate_limited"
        assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert collector.post({"type": "click"}).status == 200


def test_events_are_dropped_where_the_setting_says_so(kafka: KafkaServer, tmp_path: Path) -> None:
    dropping = CollectorProcess(tmp_path, kafka.bootstrap, {"SNAG_PRIVACY__OPT_OUT": "drop"})
    create_topics(dropping.kafka)
    dropping.start()
    try:
        dropping.wait_ready()
        answer = dropping.post([{"type": "click"}, {"type": "click"}], {"Sec-GPC": "1"})
        assert (answer.status, answer.json) == (200, {"accepted": 2, "rejected": []})
        assert read_events(dropping.kafka) == []
        assert dropping.metric('snag_ingest_events_opted_out_total{route="events",site="shop"}') == 2
    finally:
        dropping.stop()


def test_a_geoip_file_that_is_not_there_is_named_at_the_start(kafka: KafkaServer, tmp_path: Path) -> None:
    missing = tmp_path / "missing.mmdb"
    lost = CollectorProcess(tmp_path / "collector", kafka.bootstrap, {"SNAG_PRIVACY__GEOIP": str(missing)})
    with pytest.raises(AssertionError, match=r"GeoIP file .*missing\.mmdb.*Set privacy\.geoip"):
        lost.start()
