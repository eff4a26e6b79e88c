"""Every part killed with -9 under load, one after the other: nothing answered 200 is lost, nothing counts twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import oracle
from tests.oracle.funnel import SHIPPED
from tests.support.load import Load
from tests.support.running import RunningStack, running_stack
from tests.support.wait import wait_for, wait_until_same

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

RAW = ("clickstream", "errors", "checkouts")
COLUMNS = (
    "event_id, site, kind, type, ts, received_at, visitor_id, session_id, user_id, url, path, page, referrer, element, "
    "x, y, device, browser, os, country, release, is_bot, error_class, fingerprint, message, props"
)
IDLE_S, MAX_S = 1800, 86_400
OF_THE_MOMENT = ("state", "ripe", "stalled_after_s")  # of attempts: these change as time passes, with no event
BACK_DEADLINE_S = 90
SETTLE_DEADLINE_S = 120
AWAY_EVENTS = 6000  # at 500 events/s longer than any session or delivery timeout of the stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    directory: Path = tmp_path_factory.mktemp("faults")
    settings = {"SNAG_LIVE__CHECKPOINT_INTERVAL_S": "3", "SNAG_LIVE__EMIT_INTERVAL_S": "1"}
    with running_stack(directory, **settings) as running:
        yield running


def kill(stack: RunningStack, *names: str) -> None:
    """kill -9 parts, all at once, and wait until the supervisor has them up again."""
    before = {name: stack.part(name) for name in names}
    for part in before.values():
        os.kill(part["pid"], signal.SIGKILL)

    def back(name: str) -> bool:
        was, now = before[name], stack.part(name)
        return now["state"] == "up" and now["pid"] != was["pid"] and now["restarts"] > was["restarts"]

    for name in names:
        wait_for(partial(back, name), BACK_DEADLINE_S, f"{name} is back")


def raw_ids(stack: RunningStack, load: Load) -> list[str]:
    """Ids of the load's events in the raw tables (FINAL)."""
    selects = [f"SELECT event_id FROM {table} FINAL WHERE visitor_id LIKE '{load.visitors}'" for table in RAW]
    return [row["event_id"] for row in stack.query(" UNION ALL ".join(selects))]


def differences(stack: RunningStack, load: Load) -> list[str]:
    """How the stored sessions, attempts and signals differ from those that the oracle finds in the raw rows."""
    of_load = f"FINAL WHERE visitor_id LIKE '{load.visitors}'"
    raw = stack.query(" UNION ALL ".join(f"SELECT {COLUMNS} FROM {table} {of_load}" for table in RAW))
    attempts = oracle.attempts(raw, SHIPPED, frontier=time.time_ns() // 1_000_000)
    expected = {
        "sessions": oracle.sessions(raw, IDLE_S, MAX_S),
        "funnel_attempts": {key: without(row, *OF_THE_MOMENT) for key, row in attempts.items()},
        "friction_signals": oracle.signals(raw, IDLE_S, MAX_S),
    }
    assert len({key[1] for key in expected["friction_signals"]}) > 8, "the load makes many kinds of friction"
    told: list[str] = []
    for table, rows in expected.items():
        stored = oracle.tabulate(table, stack.query(f"SELECT * FROM {table} {of_load}"))
        told += [f"{table}: {line}" for line in oracle.diff(rows, stored)]
    return told


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


@pytest.mark.parametrize("parts", ["collector", "writer", "live", "clickhouse", "kafka", "kafka collector"])
def test_a_part_killed_under_load_loses_and_doubles_nothing(stack: RunningStack, parts: str) -> None:
    with Load(stack.status()["collector"]) as load:
        wait_for(lambda: len(load.accepted) > 400, 60, "the load flows")
        kill(stack, *parts.split())
        so_far = len(load.accepted)
        wait_for(lambda: len(load.accepted) > so_far + 400, 90, "the load flows again")
    assert_exact(stack, load)


def test_a_broker_away_for_long_costs_no_answer_and_everything_is_there_when_it_is_back(stack: RunningStack) -> None:
    with Load(stack.status()["collector"]) as load:
        wait_for(lambda: len(load.accepted) > 400, 60, "the load flows")
        broker = stack.part("kafka")["pid"]
        os.kill(broker, signal.SIGSTOP)
        try:
            so_far = len(load.accepted)
            wait_for(lambda: len(load.accepted) > so_far + AWAY_EVENTS, 180, "the load flows without a broker")
        finally:
            os.kill(broker, signal.SIGCONT)
        so_far = len(load.accepted)
        wait_for(lambda: len(load.accepted) > so_far + 400, 90, "the load flows")
    assert load.unsure == set(), "no answer but 200"
    assert_exact(stack, load)


def assert_exact(stack: RunningStack, load: Load) -> None:
    """What was answered 200 is in ClickHouse, nothing else is, nothing twice, and derived rows say the same."""
    wait_for(
        lambda: set(raw_ids(stack, load)) >= load.accepted,
        SETTLE_DEADLINE_S,
        "every event answered 200 is in ClickHouse",
    )
    ids = raw_ids(stack, load)
    assert len(ids) == len(set(ids)), "FINAL shows each event once"
    assert set(ids) <= load.accepted | load.unsure, "nothing else is there"
    try:
        wait_until_same(lambda: differences(stack, load), SETTLE_DEADLINE_S, "derived rows are the oracle's")
    except AssertionError as late:
        late.add_note("\n".join([f"parts: {stack.status()['parts']}", *stack.log("live").splitlines()[-40:]]))
        raise


def test_the_live_worker_restarted_with_a_backlog_again_and_again_stays_exact(stack: RunningStack) -> None:
    with Load(stack.status()["collector"], seed=2) as load:
        for _ in range(3):
            so_far = len(load.accepted)
            wait_for(lambda n=so_far: len(load.accepted) > n + 800, 60, "the load flows")
            kill(stack, "live")
    assert_exact(stack, load)
