"""The data commands against a running stack: in through the collector, out through Kafka and ClickHouse."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.running import SNAG, RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DEADLINE_S = 60
STEPS = ("product_added", "checkout_started", "shipping", "payment", "order_completed")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


def ndjson(*events: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, events))


def test_send_reports_each_line_and_stores_the_good_ones(stack: RunningStack) -> None:
    good = {"type": "page_view", "visitor_id": "sender", "event_id": "send-1"}
    text = f"{ndjson(good)}\nnot json\n{ndjson({'type': 'x', 'kind': 'nonsense', 'event_id': 'send-2'})}\n"
    done = stack.snag("send", "-", "--json", stdin=text, check=False)
    assert done.returncode == 1
    said = orjson.loads(done.stdout)
    assert said["accepted"] == 1
    assert [(verdict["line"], verdict["code"]) for verdict in said["rejected"]] == [
        (2, "invalid_json"),
        (3, "unknown_kind"),
    ]
    query = "SELECT count() AS n FROM clickstream FINAL WHERE event_id = 'send-1'"
    wait_for(lambda: stack.query(query)[0]["n"] == 1, DEADLINE_S, "the good event is stored")


def test_a_wrong_write_key_is_said(stack: RunningStack) -> None:
    done = stack.snag("send", "-", "--write-key", "wrong", stdin='{"type":"page_view"}', check=False)
    assert (done.returncode, "answered 401" in done.stderr) == (1, True)


def test_tail_prints_what_comes_live_and_ends_cleanly_at_ctrl_c(stack: RunningStack, tmp_path: Path) -> None:
    out = tmp_path / "tail.out"
    errors = tmp_path / "tail.err"
    with out.open("wb") as stdout, errors.open("wb") as stderr:
        tail = subprocess.Popen(
            [str(SNAG), "tail"],
            cwd=stack.directory,
            env={**stack.env, "PYTHONUNBUFFERED": "1"},
            stdout=stdout,
            stderr=stderr,
        )
    try:
        wait_for(lambda: "watching" in errors.read_text() or tail.poll() is not None, DEADLINE_S, "tail watches")
        bad = {"type": "x", "kind": "nonsense", "event_id": "tail-bad"}
        stack.snag(
            "send", "-", stdin=ndjson({"type": "click", "visitor_id": "tailed", "element": "#a"}, bad), check=False
        )
        wait_for(lambda: out.read_text().count("\n") >= 2, DEADLINE_S, "both are printed")
    finally:
        tail.send_signal(signal.SIGINT)
        assert tail.wait(60) == 0, errors.read_text()
    printed = out.read_text()
    assert "clickstream click" in printed and "tailed #a" in printed
    assert "unknown_kind at kind" in printed


def test_tail_from_the_start_prints_json_up_to_the_limit(stack: RunningStack) -> None:
    stack.snag("send", "-", stdin=ndjson(*({"type": "js_error", "visitor_id": "t", "message": "m"} for _ in range(3))))
    lines = stack.snag("tail", "errors", "--from-start", "--json", "--limit", "2").stdout.splitlines()
    assert [orjson.loads(line)["kind"] for line in lines] == ["error", "error"]


def test_sql_in_each_shape(stack: RunningStack) -> None:
    query = "SELECT number AS n, 'x' AS t FROM numbers(2)"
    assert stack.snag("sql", query).stdout == "0\tx\n1\tx\n"
    assert orjson.loads(stack.snag("sql", query, "--json").stdout)["data"] == [{"n": 0, "t": "x"}, {"n": 1, "t": "x"}]
    assert stack.snag("sql", "-", stdin=f"{query} FORMAT CSV").stdout == '0,"x"\n1,"x"\n'
    assert stack.snag("sql", "SELECT toInt64(9007199254740993) AS n", "--json").stdout.count("9007199254740993") == 1


def test_sql_shows_clickhouses_own_error(stack: RunningStack) -> None:
    done = stack.snag("sql", "SELECT nonsense FROM nowhere", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Code: 60.") and "nowhere" in done.stderr


def test_the_funnel_is_drawn_and_given_as_json(stack: RunningStack) -> None:
    events = [
        {"type": step, "visitor_id": f"f-{visitor}", "props": {"value": 50}}
        for visitor in range(4)
        for step in STEPS[: visitor + 1]
    ]
    stack.snag("send", "-", stdin=ndjson(*events))

    def entered() -> list[int]:
        data = orjson.loads(stack.snag("funnel", "show", "checkout", "--json").stdout)["data"]
        return [row["entered"] for row in data]

    wait_for(lambda: entered() == [4, 3, 2, 1, 0], DEADLINE_S, "the funnel counts the four visitors")
    drawn = stack.snag("funnel", "show", "checkout", "--since", "15m").stdout
    assert [line.split()[1] for line in drawn.splitlines() if line[:2].strip().isdigit()] == list(STEPS)
    assert "~75.0%" in drawn and "no attempt is old enough for rates" in drawn


def test_a_replay_ends_now_and_history_keeps_its_times(stack: RunningStack, tmp_path: Path) -> None:
    lines = [
        {"type": "page_view", "event_id": f"r{n}", "visitor_id": "replayed", "ts": f"2020-01-01T00:00:{n:02d}Z"}
        for n in (0, 30, 10, 50)
    ]
    (tmp_path / "recording.ndjson").write_text(ndjson(*lines))
    for _ in range(2):
        stack.snag("replay", str(tmp_path / "recording.ndjson"), "--keep-times")
    live = stack.snag("replay", str(tmp_path / "recording.ndjson"), "--speed", "1000", "--json")
    assert orjson.loads(live.stdout) == {"accepted": 4, "rejected": 0, "unreadable": 0}

    def stored(where: str) -> list[Any]:
        found = stack.query(
            "SELECT groupArray(event_id) AS ids, dateDiff('second', min(ts), max(ts)) AS span, "
            "dateDiff('second', max(ts), max(received_at)) AS age FROM "
            f"(SELECT * FROM clickstream FINAL WHERE visitor_id = 'replayed' AND {where} ORDER BY ts)"
        )
        return [found[0]["ids"], found[0]["span"], found[0]["age"]]

    wait_for(lambda: len(stored("ts > '2026-01-01'")[0]) == 4, DEADLINE_S, "the replay is stored")
    ids, span, age = stored("ts > '2026-01-01'")
    assert (span, not set(ids) & {"r0", "r10", "r30", "r50"}) == (50, True)
    assert -2 <= age <= 20
    wait_for(
        lambda: stored("ts < '2021-01-01'")[0] == ["r0", "r10", "r30", "r50"], DEADLINE_S, "history is stored once"
    )


def test_history_straight_to_kafka_is_scored_against_its_truth(stack: RunningStack) -> None:
    (stack.directory / "declines.toml").write_text(
        '[[incident]]\nid = "declines"\nkind = "payment_decline"\nstart = "+0h"\nend = "+9h"\nconversion = 0.2\n'
    )
    options = ("--start", "2025-01-06T00:00:00Z", "--visitors", "150", "--seed", "6", "--incidents", "declines.toml")
    sent = orjson.loads(stack.snag("simulate", *options, "--kafka", "--truth", "truth", "--json").stdout)
    assert sent["accepted"] > 5000

    def score() -> dict[str, Any]:
        return dict(orjson.loads(stack.snag("score", "truth", "--json").stdout))

    def is_right() -> bool:
        found = score()
        shares = (found["sessions"], found["attempts"], found["conversions"], found["signals"]["payment_failed_soft"])
        return found["orders"]["error"] == 0.0 and all(share["precision"] == share["recall"] == 1.0 for share in shares)

    wait_for(is_right, DEADLINE_S, "the stack says what happened")
    assert score()["orders"]["told"] > 0
    assert score()["incidents"][0]["lost_orders"] > 0


def test_simulated_traffic_reaches_clickhouse_once(stack: RunningStack) -> None:
    said = orjson.loads(stack.snag("simulate", "--visitors", "40", "--seed", "8", "--json").stdout)
    assert said["rejected"] == 0 and said["accepted"] > 500
    of_now = "FINAL WHERE release = '2026.11.1' AND toYear(ts) > 2025"
    query = (
        f"SELECT sum(n) AS n FROM (SELECT count() AS n FROM clickstream {of_now} "
        f"UNION ALL SELECT count() FROM checkouts {of_now} UNION ALL SELECT count() FROM errors {of_now})"
    )
    repeats = said["accepted"] * 0.03
    wait_for(
        lambda: said["accepted"] - repeats <= stack.query(query)[0]["n"] <= said["accepted"],
        DEADLINE_S,
        "all but the repeated events are stored",
    )


def test_live_traffic_comes_at_a_rate_until_ctrl_c(stack: RunningStack) -> None:
    [now] = stack.query("SELECT toUnixTimestamp64Milli(max(received_at)) AS ms FROM clickstream")
    with subprocess.Popen(
        [str(SNAG), "simulate", "--rate", "40", "--seed", "9", "--json"],
        cwd=stack.directory,
        env=stack.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as simulate:
        simulated = "FROM clickstream FINAL WHERE release = '2026.11.1'"
        since = f"{simulated} AND received_at > fromUnixTimestamp64Milli({now['ms']})"
        try:
            wait_for(
                lambda: stack.query(f"SELECT uniqExact(toStartOfSecond(received_at)) AS n {since}")[0]["n"] >= 5,
                DEADLINE_S,
                "traffic of five seconds is stored",
            )
        finally:
            simulate.send_signal(signal.SIGINT)
        out, errors = simulate.communicate(timeout=DEADLINE_S)
    assert simulate.returncode == 0, errors
    assert b"Ctrl-C stops" in errors
    said = orjson.loads(out)
    assert (said["rejected"], said["seed"]) == (0, 9)
    wait_for(
        lambda: 0 < stack.query(f"SELECT count() AS n {since}")[0]["n"] <= said["accepted"], DEADLINE_S, "it is stored"
    )
    prompt = "countIf(abs(dateDiff('second', ts, received_at)) <= 60) / count()"
    assert stack.query(f"SELECT {prompt} AS share {since}")[0]["share"] > 0.8  # the others are late or of wrong clocks


def test_the_stack_leaves_nothing_in_the_folder_where_it_was_started(stack: RunningStack) -> None:
    assert stack.part("live")["state"] == "up"
    assert not [path.name for path in stack.directory.iterdir() if path.is_dir() and path != stack.data_dir]
