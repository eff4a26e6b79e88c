"""What the embedded server keeps and lets go of: crashes, stops, second starts, merges, abandoned queries."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.contract.clickhouse_support import ClickHouse, spawn, start_clickhouse, wait_for
from tests.support.ports import free_port

MARK = "cityHash64(number)"
ENDLESS = f"SELECT sum({MARK}) FROM numbers(1000000000000)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with start_clickhouse(tmp_path_factory.mktemp("life")) as running:
        yield running


def test_answered_inserts_survive_kill_9_and_the_lock_does_not(tmp_path: Path) -> None:
    rows = "SELECT count(), uniqExact(a) FROM t"
    with start_clickhouse(tmp_path) as server:
        server.ask("CREATE TABLE t (a UInt64) ENGINE = ReplacingMergeTree ORDER BY a")
        answered: list[int] = []

        def insert(first: int) -> None:
            for number in range(first, first + 10_000):
                try:
                    answer = server.request("INSERT INTO t FORMAT JSONEachRow", b'{"a":%d}\n' % number)
                except (OSError, http.client.HTTPException):
                    return
                if answer.status == 200:
                    answered.append(number)

        writers = [threading.Thread(target=insert, args=(first,)) for first in (0, 1_000_000)]
        for writer in writers:
            writer.start()
        wait_for(lambda: len(answered) >= 60, "60 inserts are answered")
        server.kill()
        for writer in writers:
            writer.join()
    with start_clickhouse(tmp_path) as again:
        kept = {int(line) for line in again.ask("SELECT a FROM t FORMAT TSV").split()}
        assert set(answered) <= kept
        # At most the one insert of each writer that was in flight is there without an answer.
        assert len(kept - set(answered)) <= len(writers)
        count, distinct = again.ask(rows.replace("FROM t", "FROM t FINAL")).split("\t")
        assert count == distinct


def test_unfinished_upload_writes_nothing_and_frees_its_place(server: ClickHouse) -> None:
    server.ask("CREATE TABLE torn (a UInt64) ENGINE = MergeTree ORDER BY a")
    for _ in range(5):  # more than there are insert connections
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.putrequest("POST", "/?query=INSERT%20INTO%20torn%20FORMAT%20TSV")
        connection.putheader("Content-Length", str(50 << 20))
        connection.endheaders()
        connection.send(b"1\n" * (2 << 20))
        connection.close()
    server.ask("INSERT INTO torn VALUES (7)")
    assert server.ask("SELECT groupArray(a) FROM torn") == "[7]"


def test_second_server_on_the_same_path_says_what_to_do(server: ClickHouse, tmp_path: Path) -> None:
    log = tmp_path / "second.log"
    second = spawn(server.path, log, free_port())
    assert second.wait(60) == 1
    reason = json.loads(log.read_text().splitlines()[-1])["reason"]
    assert str(server.path) in reason
    assert str(server.process.pid) in reason
    assert "--path" in reason
    assert server.ask("SELECT 1") == "1"


def test_busy_port_says_what_to_do(server: ClickHouse, tmp_path: Path) -> None:
    log = tmp_path / "busy.log"
    second = spawn(tmp_path / "data", log, server.port)
    assert second.wait(60) == 1
    assert "choose another --port" in log.read_text()


def test_sigterm_lets_a_running_query_finish(tmp_path: Path) -> None:
    # The sleeping must be part of the result: a column nobody reads is left out, and the query over at once.
    slow = "SELECT 'slow', count(), sum(sleepEachRow(0.1)) FROM numbers(60) SETTINGS max_block_size = 1"
    with start_clickhouse(tmp_path) as server:
        server.ask("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        server.ask("INSERT INTO t VALUES (1)")
        with server.open_query(slow) as connection:
            wait_for(lambda: server.running("slow"), "the slow query runs")
            server.process.terminate()
            with connection.getresponse() as response:
                assert (response.status, response.read()) == (200, b"slow\t60\t0\n")
        assert server.process.wait(60) == 0
        assert "stopped" in server.log.read_text()
    with start_clickhouse(tmp_path) as again:
        assert again.ask("SELECT a FROM t") == "1"


def test_sigterm_ends_an_endless_query_after_the_deadline(tmp_path: Path) -> None:
    with start_clickhouse(tmp_path) as server, server.open_query(ENDLESS):
        wait_for(lambda: server.running(MARK), "the endless query runs")
        assert server.stop() == 0


def test_client_that_leaves_frees_its_query(server: ClickHouse) -> None:
    with server.open_query(ENDLESS), server.open_query(ENDLESS), server.open_query(ENDLESS):
        wait_for(lambda: server.running(MARK) == 3, "the endless queries run")
    wait_for(lambda: server.running(MARK) == 0, "the engine has dropped the abandoned queries")


def test_client_that_leaves_in_the_middle_of_an_answer_frees_its_query(server: ClickHouse) -> None:
    query = "SELECT number AS left_early FROM numbers(100000000000)"
    with server.open_query(query) as connection, connection.getresponse() as response:
        response.read(1 << 20)
        assert server.running("left_early") == 1
    wait_for(lambda: server.running("left_early") == 0, "the engine has dropped the abandoned stream")


def test_heavy_queries_do_not_hold_up_small_ones_or_inserts(server: ClickHouse) -> None:
    server.ask("CREATE TABLE beside (a UInt64) ENGINE = MergeTree ORDER BY a")
    with server.open_query(ENDLESS) as one, server.open_query(ENDLESS) as two, server.open_query(ENDLESS) as three:
        wait_for(lambda: server.running(MARK) == 3, "the heavy queries run")
        assert server.ask("SELECT 1") == "1"
        server.ask("INSERT INTO beside VALUES (1)")
        assert server.ask("SELECT count() FROM beside") == "1"
        # The heavy ones were there all along, so the small ones overtook them.
        assert server.running(MARK) == 3
        server.ask(f"KILL QUERY WHERE query LIKE '%{MARK}%' AND query NOT LIKE 'KILL%' ASYNC")
        for connection in (one, two, three):
            with connection.getresponse() as response:
                assert response.headers["X-ClickHouse-Exception-Code"] == "394"
                response.read()


def test_session_is_locked_while_its_query_runs(server: ClickHouse) -> None:
    with server.open_query(ENDLESS, "/?session_id=busy"):
        wait_for(lambda: server.running(MARK) == 1, "the endless query runs")
        assert server.request("SELECT 1", session_id="busy").headers["x-clickhouse-exception-code"] == "373"
    wait_for(lambda: server.request("SELECT 1", session_id="busy").status == 200, "the session is free again")


def test_small_inserts_are_merged_in_the_background(server: ClickHouse) -> None:
    server.ask("CREATE TABLE parts (a UInt64) ENGINE = MergeTree ORDER BY a")
    for number in range(60):
        server.ask(f"INSERT INTO parts VALUES ({number})")
    active = "SELECT count() FROM system.parts WHERE table = 'parts' AND active"
    wait_for(lambda: int(server.ask(active)) < 20, "background merges have brought 60 parts under 20")
    assert server.ask("SELECT count(), uniqExact(a) FROM parts") == "60\t60"


def test_large_result_is_not_held_in_memory(server: ClickHouse) -> None:
    process = psutil.Process(server.process.pid)
    query = "SELECT number, repeat('x', 100) FROM numbers(10000000) FORMAT RowBinary"
    seen_bytes, peak_bytes = 0, 0
    with server.open_query(query) as connection, connection.getresponse() as response:
        while piece := response.read(1 << 22):
            seen_bytes += len(piece)
            peak_bytes = max(peak_bytes, process.memory_info().rss)
    assert seen_bytes == 10_000_000 * 109
    assert peak_bytes < 800 << 20  # the answer alone has 1,040 MiB


def test_deduplication_token_makes_a_retry_harmless(server: ClickHouse) -> None:
    server.ask(
        "CREATE TABLE once (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    )
    for _ in range(3):
        server.request("INSERT INTO once FORMAT TSV", b"1\n2\n", insert_deduplication_token="batch-1")
    assert server.ask("SELECT count() FROM once") == "2"


def test_log_tells_kind_and_code_and_no_query_text(server: ClickHouse) -> None:
    server.request("SELECT 'very-secret-text' FROM nowhere")

    def logged() -> list[str]:
        return [line for line in server.log.read_text().splitlines() if '"code": 60' in line]

    # The line is written once the answer is out.
    line = json.loads(wait_for(logged, "the refused query is logged")[-1])
    assert (line["event"], line["kind"]) == ("query", "SELECT")
    assert "very-secret-text" not in server.log.read_text()
