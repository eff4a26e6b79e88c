"""What the collector does not let anybody do to it: each refusal is clear, and memory stays where it was."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import resource
import selectors
import signal
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from deploy.local.kafka.topics import create_topics
from tests.contract.test_ingest_http import DEADLINE_S, CollectorProcess, read_events
from tests.support.asgi import NOWHERE
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
MAX_CONNECTIONS = 300
FLOOD = 3000
ALLOWED_GROWTH_BYTES = 64 * MIB
CLIENT_TIMEOUT_S = 60
CERTIFICATE = "certificate.pem"


@pytest.fixture(scope="module", autouse=True)
def many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture(scope="module")
def collector(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    limits = {"SNAG_INGEST__MAX_CONNECTIONS": str(MAX_CONNECTIONS)}
    process = CollectorProcess(tmp_path_factory.mktemp("collector"), kafka.bootstrap, limits)
    create_topics(process.kafka)
    process.start()
    process.wait_ready()
    for _ in range(20):
        assert process.post({"type": "click"}).status == 200
    yield process
    assert process.stop() == 0


def memory_bytes(collector: CollectorProcess) -> int:
    return int(psutil.Process(collector.pid).memory_info().rss)


def connect(collector: CollectorProcess, from_: str = "127.0.0.1") -> socket.socket:
    found = socket.create_connection(("127.0.0.1", collector.port), CLIENT_TIMEOUT_S, (from_, 0))
    found.settimeout(CLIENT_TIMEOUT_S)
    return found


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The answer on a connection, read to its end."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_answers_are_framed_as_asked(collector: CollectorProcess) -> None:
    get = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    body = b'{"type": "click"}'
    post = b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-write-key: wk_local\r\ncontent-length: %d\r\n" % len(body)
    last = get.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    with connect(collector) as several, several.makefile("rb") as stream:  # one packet, answered in turn
        several.sendall(post + b"\r\n" + body + get.replace(b"GET", b"HEAD") + last)
        answers = stream.read()  # up to the end: http.client would read ahead of the answer it is asked for
    first, of_head, of_get = answers.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert first.endswith(b'\r\n\r\n{"accepted":1,"rejected":[]}')
    assert of_head.endswith(b"\r\n\r\n"), "no body"
    assert of_get.endswith(b'\r\n\r\n{"status":"ok"}')
    with connect(collector) as waiting:  # nothing of the body is sent before it is wanted
        waiting.sendall(post + b"expect: 100-continue\r\n\r\n")
        said = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert waiting.recv(len(said), socket.MSG_WAITALL) == said
        waiting.sendall(body)
        assert answer_of(waiting)[0] == 200
    for sent in (last, get.replace(b"/1.1", b"/1.0")):
        with connect(collector) as closing:
            closing.sendall(sent)
            status, headers, _ = answer_of(closing)
            assert (status, headers["connection"]) == (200, "close")
            assert is_closed(closing)


def test_who_asks_for_another_protocol_is_served_in_this_one(collector: CollectorProcess) -> None:
    """Java's client asks for HTTP/2 with the first request of a connection, whatever its method."""
    body = b'{"type": "click"}'
    head = b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-write-key: wk_local\r\n"
    asks = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAA\r\n"
    whole = head + asks + b"content-length: %d\r\n\r\n" % len(body) + body
    chunked = head + asks + b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    for sent in ([whole], [chunked], [whole[:100], whole[100:-20], whole[-20:]]):
        with connect(collector) as connection:
            for part in sent:
                connection.sendall(part)
            status, _, said = answer_of(connection)
            assert (status, said) == (200, b'{"accepted":1,"rejected":[]}')
            assert is_served(connection)
    with connect(collector) as several, several.makefile("rb") as stream:
        several.sendall(whole + chunked + whole.replace(b"connection: ", b"connection: close, "))
        assert stream.read().count(b'\r\n\r\n{"accepted":1,"rejected":[]}') == 3
    with connect(collector) as tunnel:
        tunnel.sendall(b"CONNECT a.example:443 HTTP/1.1\r\nhost: a.example\r\n\r\n")
        assert answer_of(tunnel)[0] == 405


def test_who_is_still_sending_when_it_stops_is_told_to_come_again(tmp_path: Path) -> None:
    process = CollectorProcess(tmp_path, NOWHERE, {"SNAG_INGEST__STOP_TIMEOUT_S": "2"})
    process.start()
    with connect(process) as slow:
        slow.sendall(b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-write-key: wk_local\r\ncontent-length: 9\r\n\r\n[")
        wait_for(lambda: process.metric("snag_ingest_in_flight_bytes") == 1, DEADLINE_S, "its first byte is there")
        assert process.stop() == 0
        status, headers, body = answer_of(slow)
    assert (status, json.loads(body)["code"]) == (503, "stopping")
    assert int(headers["retry-after"]) >= 1
    assert "Traceback" not in process.log.read_text()


def turned_away(flood: list[socket.socket], left: int) -> Counter[int]:
    """Wait until all of `flood` but `left` have an answer, by status (0: none before the end); those leave `flood`."""
    answers: Counter[int] = Counter()
    for connection in flood:
        connection.setblocking(False)

    def all_but_those_held_have_an_answer() -> bool:
        for connection in flood[:]:
            try:
                first = connection.recv(65536)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                first = b""
            flood.remove(connection)
            if first:
                head, _, body = first.partition(b"\r\n\r\n")
                assert b"retry-after:" in head
                assert json.loads(body)["code"] == "too_many_connections"
            answers[int(first.split()[1]) if first else 0] += 1
        return len(flood) <= left

    wait_for(all_but_those_held_have_an_answer, DEADLINE_S, "the flood is turned away")
    return answers


def is_served(connection: socket.socket) -> bool:
    connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
    return answer_of(connection)[0] == 200


def test_more_connections_than_it_holds_are_turned_away_politely(collector: CollectorProcess) -> None:
    before = memory_bytes(collector)
    with ExitStack() as stack:
        held = stack.enter_context(connect(collector))
        assert is_served(held)
        flood = [stack.enter_context(connect(collector)) for _ in range(FLOOD)]
        answers = turned_away(flood, MAX_CONNECTIONS - 1)
        assert answers == {503: FLOOD - len(flood)}
        refused = FLOOD - len(flood)
        assert is_served(held), "those who were there are served"
    wait_for(lambda: collector.post({"type": "click"}).status == 200, DEADLINE_S, "there is room again")
    assert collector.metric('snag_ingest_connections_refused_total{reason="too_many_connections"}') >= refused
    assert memory_bytes(collector) - before < ALLOWED_GROWTH_BYTES


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_hundred_thousand_connections_are_turned_away_politely(collector: CollectorProcess) -> None:
    """In waves, each from an address of its own: one has no more than 28,000 ports."""
    before = memory_bytes(collector)
    with ExitStack() as stack:
        held = [stack.enter_context(connect(collector)) for _ in range(MAX_CONNECTIONS)]
        answers: Counter[int] = Counter()
        for wave in range(50):
            with ExitStack() as there:
                flood = [there.enter_context(connect(collector, f"127.0.1.{1 + wave}")) for _ in range(2000)]
                answers += turned_away(flood, 0)
            assert all(map(is_served, held)), "those who were there are served"
        assert answers == {503: 100_000}
    wait_for(lambda: collector.post({"type": "click"}).status == 200, DEADLINE_S, "there is room again")
    assert memory_bytes(collector) - before < ALLOWED_GROWTH_BYTES


@pytest.mark.parametrize("unit", [b"x-flood: " + b"y" * 1000 + b"\r\n", b"y" * 1000])
def test_a_head_without_end_is_refused(collector: CollectorProcess, unit: bytes) -> None:
    before = memory_bytes(collector)
    with connect(collector) as connection:
        connection.sendall(b"POST /v1/events HTTP/1.1\r\nhost: x\r\n")
        try:
            for _ in range(100 * 1000):
                connection.sendall(unit)
            pytest.fail("100 MB of head were taken")
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert memory_bytes(collector) - before < ALLOWED_GROWTH_BYTES
    with connect(collector) as connection:
        connection.sendall(b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 70_000)
        status, _, body = answer_of(connection)
        assert (status, json.loads(body)["code"]) == (431, "head_too_large")


def test_trailers_without_end_cost_no_memory(collector: CollectorProcess) -> None:
    before = memory_bytes(collector)
    head = b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-write-key: wk_local\r\ntransfer-encoding: chunked\r\n\r\n"
    with connect(collector) as connection:
        connection.sendall(head + b"10\r\n" + b'{"type":"click"}' + b"\r\n0\r\n")
        for _ in range(50 * 1000):
            connection.sendall(b"x-trailer: " + b"y" * 1000 + b"\r\n")
        assert memory_bytes(collector) - before < ALLOWED_GROWTH_BYTES
        connection.sendall(b"\r\n")
        assert answer_of(connection)[0] == 200


def test_slow_heads_are_ended_and_harm_nobody(collector: CollectorProcess) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(collector)) for _ in range(MAX_CONNECTIONS // 2)]
        for connection in slow:
            connection.sendall(b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-slow: ")
        silent = stack.enter_context(connect(collector))
        assert collector.post({"type": "click"}).status == 200
        status, _, body = answer_of(slow[0])
        assert (status, json.loads(body)["code"]) == (408, "head_timeout")
        assert all(answer_of(connection)[0] == 408 for connection in slow[1:])
        assert is_closed(silent)


def test_bombs_are_refused_before_they_are_inflated(collector: CollectorProcess) -> None:
    before = memory_bytes(collector)
    bomb = gzip.compress(b"[" + b" " * (512 * MIB) + b"]", 9)
    assert len(bomb) < MIB
    for _ in range(10):
        answer = collector.post(bomb)
        assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert memory_bytes(collector) - before < ALLOWED_GROWTH_BYTES


@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b'{"type":"click","props":{"a":', b'{"batch":[{"type":"c","props":']
)
def test_bottomless_json_is_refused_clearly(collector: CollectorProcess, opening: bytes) -> None:
    answer = collector.post(opening * (4 * MIB // len(opening)))
    assert 400 <= answer.status < 500 or answer.json["accepted"] == 0
    assert collector.get("/health").status == 200


def test_neither_keys_nor_bodies_are_in_the_log(collector: CollectorProcess) -> None:
    mark = "very-private-mark"
    collector.post([{"type": "click", "props": {"password": mark}}, {"type": "click", "ts": mark}, mark])
    collector.post(f'{{"type": "click", "{mark}'.encode())
    collector.post({"type": "click"}, key=mark)
    collector.request("POST", f"/v1/events?writeKey={mark}", b"{")
    collector.request("GET", f"/{mark}")
    with connect(collector) as connection:
        connection.sendall(f"{mark}\r\n\r\n".encode())
        assert answer_of(connection)[0] == 400
    log = collector.log.read_text()
    assert "collector starts" in log
    assert mark not in log
    assert "wk_local" not in log


def tls_settings(directory: Path) -> dict[str, str]:
    """The settings for a new certificate of localhost, in `directory`."""
    certificate, key = directory / CERTIFICATE, directory / "key.pem"
    new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    new += f" -addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}"
    subprocess.run(new.split(), check=True, capture_output=True)
    return {"SNAG_INGEST__TLS_CERTIFICATE": str(certificate), "SNAG_INGEST__TLS_KEY": str(key)}


def test_it_speaks_tls_with_the_given_certificate(kafka: KafkaServer, tmp_path: Path) -> None:
    env = tls_settings(tmp_path)
    trust = ssl.create_default_context(cafile=str(tmp_path / CERTIFICATE))
    process = CollectorProcess(tmp_path, kafka.bootstrap, env, tls=trust)
    create_topics(process.kafka)
    process.start()
    try:
        process.wait_ready()
        assert process.post({"type": "click", "event_id": "over-tls"}).status == 200
        assert [event.event_id for event in read_events(process.kafka)] == ["over-tls"]
    finally:
        assert process.stop() == 0


def test_handshakes_that_are_never_finished_are_few_and_short(tmp_path: Path) -> None:
    env = tls_settings(tmp_path) | {"SNAG_INGEST__MAX_CONNECTIONS": "50"}
    process = CollectorProcess(
        tmp_path, NOWHERE, env, tls=ssl.create_default_context(cafile=str(tmp_path / CERTIFICATE))
    )
    process.start()
    try:
        with ExitStack() as stack:
            flood = [stack.enter_context(connect(process)) for _ in range(200)]
            ended = selectors.DefaultSelector()
            for connection in flood:
                ended.register(connection, selectors.EVENT_READ)
            wait_for(lambda: len(ended.select(0)) >= 150, DEADLINE_S, "those beyond the bound are ended")
            wait_for(lambda: len(ended.select(0)) == 200, 30, "the others are ended after the time of a handshake")
            assert all(map(is_closed, flood))
        assert process.post({"type": "click"}).status == 200
    finally:
        assert process.stop() == 0


@pytest.mark.parametrize(
    ("content", "cause"), [(None, "No such file or directory"), ("no certificate", "they hold no readable")]
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_certificate_that_cannot_be_used_is_named(
    tmp_path: Path, processes: str, content: str | None, cause: str
) -> None:
    """Of two processes as well: their supervisor started them again for ever."""
    env = tls_settings(tmp_path) | {"SNAG_INGEST__PROCESSES": processes}
    if content is None:
        (tmp_path / CERTIFICATE).unlink()
    else:
        (tmp_path / CERTIFICATE).write_text(content)
    process = CollectorProcess(tmp_path, NOWHERE, env)
    with pytest.raises(AssertionError, match=rf"collector: TLS certificate .*{cause}.*ingest\.tls_key"):
        process.start()
    assert "Traceback" not in process.log.read_text()


def test_a_certificate_without_its_key_is_named(tmp_path: Path) -> None:
    process = CollectorProcess(tmp_path, "127.0.0.1:1", {"SNAG_INGEST__TLS_CERTIFICATE": "c.pem"})
    with pytest.raises(
        AssertionError, match=r"collector: Setting .*TLS needs both ingest\.tls_cert.* and ingest\.tls_key"
    ):
        process.start()


def test_two_processes_share_a_port_count_together_and_outlive_one_of_them(kafka: KafkaServer, tmp_path: Path) -> None:
    process = CollectorProcess(tmp_path, kafka.bootstrap, {"SNAG_INGEST__PROCESSES": "2"})
    create_topics(process.kafka)
    process.start()
    try:
        collectors = wait_for(lambda: _two(psutil.Process(process.pid).children()), DEADLINE_S, "two collectors run")
        wait_for(lambda: process.metric("snag_ingest_kafka_up") == 1, DEADLINE_S, "both are ready")
        ids = [f"e{i}" for i in range(60)]
        for event_id in ids:  # each on a connection of its own: both processes get some
            assert process.post({"type": "click", "event_id": event_id}).status == 200
        sample = 'snag_ingest_events_accepted_total{kind="clickstream",route="events",site="shop"}'
        assert process.metric(sample) == 60
        assert {path.name for path in (tmp_path / "spool").iterdir()} == {"0", "1"}
        os.kill(collectors[0].pid, signal.SIGKILL)
        wait_for(lambda: _two(psutil.Process(process.pid).children()), DEADLINE_S, "the dead one is started again")
        wait_for(lambda: process.post({"type": "click", "event_id": "after"}).status == 200, DEADLINE_S, "served")
        wait_for(  # what the dead one had spooled, if anything, is taken over
            lambda: {event.event_id for event in read_events(process.kafka)} == {*ids, "after"},
            DEADLINE_S,
            "all is there",
        )
    finally:
        assert process.stop() == 0
    assert not any(child.is_running() for child in collectors)


def _two(children: list[psutil.Process]) -> list[psutil.Process]:
    return children if len(children) == 2 and all(c.status() != psutil.STATUS_ZOMBIE for c in children) else []
