"""Every part killed with -9 under load, one after the other: nothing answered 200 is lost, nothing counts twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import oracle
from tests.support import recount
from tests.support.load import Load
from tests.support.running import RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

RAW = ("clickstream", "errors", "checkouts")
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


def raw_rows(stack: RunningStack, load: Load) -> list[dict[str, Any]]:
    """All raw rows of the load, once each (FINAL)."""
    value = {"checkouts": "value"}
    selects = [
        f"SELECT event_id, type, visitor_id, ts, {value.get(table, '0')} AS value "
        f"FROM {table} FINAL WHERE visitor_id LIKE '{load.visitors}'"
        for table in RAW
    ]
    return stack.query(" UNION ALL ".join(selects))


def stored_sessions(stack: RunningStack, load: Load) -> dict[str, tuple[Any, ...]]:
    columns = "visitor_id, events, page_views, clicks, errors, checkout_events, orders, started_at, ended_at"
    rows = stack.query(f"SELECT {columns} FROM sessions FINAL WHERE visitor_id LIKE '{load.visitors}'")
    found = {row["visitor_id"]: tuple(row.values())[1:] for row in rows}
    assert len(found) == len(rows), "one session a visitor"
    return found


def stored_attempts(stack: RunningStack, load: Load) -> dict[tuple[str, str], tuple[int, float]]:
    columns = "visitor_id, started_at, step_reached, value"
    rows = stack.query(
        f"SELECT {columns} FROM funnel_attempts FINAL WHERE funnel = 'checkout' AND visitor_id LIKE '{load.visitors}'"
    )
    return {(r["visitor_id"], r["started_at"]): (r["step_reached"], r["value"]) for r in rows}


def signal_differences(stack: RunningStack, load: Load) -> list[str]:
    """How the stored friction signals differ from those that the oracle finds in the raw rows."""
    columns = "event_id, site, kind, type, ts, received_at, visitor_id, session_id, path, page, element, x, y, is_bot"
    of_load = f"FINAL WHERE visitor_id LIKE '{load.visitors}'"
    raw = stack.query(
        " UNION ALL ".join(
            f"SELECT {columns}, error_class, fingerprint, message, props FROM {t} {of_load}" for t in RAW
        )
    )
    expected = oracle.signals(raw, 1800, 86_400)
    assert len({key[1] for key in expected}) > 8, "the load makes many kinds of friction"
    stored = stack.query(f"SELECT * FROM friction_signals {of_load}")
    return oracle.diff(expected, oracle.tabulate("friction_signals", stored))


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
        lambda: {row["event_id"] for row in raw_rows(stack, load)} >= load.accepted,
        SETTLE_DEADLINE_S,
        "every event answered 200 is in ClickHouse",
    )
    rows = raw_rows(stack, load)
    ids = [row["event_id"] for row in rows]
    assert len(ids) == len(set(ids)), "FINAL shows each event once"
    assert set(ids) <= load.accepted | load.unsure, "nothing else is there"
    wait_for(
        lambda: stored_sessions(stack, load) == recount.sessions(raw_rows(stack, load)),
        SETTLE_DEADLINE_S,
        "sessions equal a recount of the raw rows",
    )
    wait_for(
        lambda: stored_attempts(stack, load) == recount.attempts(raw_rows(stack, load)),
        SETTLE_DEADLINE_S,
        "funnel attempts equal a recount of the raw rows",
    )
    wait_for(lambda: not signal_differences(stack, load), SETTLE_DEADLINE_S, "friction signals are the oracle's")


def test_the_live_worker_restarted_with_a_backlog_again_and_again_stays_exact(stack: RunningStack) -> None:
    with Load(stack.status()["collector"], seed=2) as load:
        for _ in range(3):
            so_far = len(load.accepted)
            wait_for(lambda n=so_far: len(load.accepted) > n + 800, 60, "the load flows")
            kill(stack, "live")
    assert_exact(stack, load)
