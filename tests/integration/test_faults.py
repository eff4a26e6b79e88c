"""Every part killed with -9 under load, one after the other: nothing answered 200 is lost, nothing counts twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import recount
from tests.support.load import Load
from tests.support.running import RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

RAW = ("clickstream", "errors", "checkouts")
BACK_DEADLINE_S = 90
SETTLE_DEADLINE_S = 120


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    directory: Path = tmp_path_factory.mktemp("faults")
    settings = {"SNAG_LIVE__CHECKPOINT_INTERVAL_S": "3", "SNAG_LIVE__EMIT_INTERVAL_S": "1"}
    with running_stack(directory, **settings) as running:
        yield running


def kill(stack: RunningStack, name: str) -> None:
    """kill -9 a part and wait until the supervisor has it up again."""
    before = stack.part(name)
    os.kill(before["pid"], signal.SIGKILL)

    def back() -> bool:
        now = stack.part(name)
        return now["state"] == "up" and now["pid"] != before["pid"] and now["restarts"] > before["restarts"]

    wait_for(back, BACK_DEADLINE_S, f"{name} is back")


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
    rows = stack.query(f"SELECT {columns} FROM funnel_attempts FINAL WHERE visitor_id LIKE '{load.visitors}'")
    return {(r["visitor_id"], r["started_at"]): (r["step_reached"], r["value"]) for r in rows}


@pytest.mark.parametrize("part", ["collector", "writer", "live", "clickhouse", "kafka"])
def test_a_part_killed_under_load_loses_and_doubles_nothing(stack: RunningStack, part: str) -> None:
    with Load(stack.status()["collector"]) as load:
        wait_for(lambda: len(load.accepted) > 400, 60, "the load flows")
        kill(stack, part)
        so_far = len(load.accepted)
        wait_for(lambda: len(load.accepted) > so_far + 400, 90, "the load flows again")
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


def test_the_live_worker_restarted_with_a_backlog_again_and_again_stays_exact(stack: RunningStack) -> None:
    with Load(stack.status()["collector"], seed=2) as load:
        for _ in range(3):
            so_far = len(load.accepted)
            wait_for(lambda n=so_far: len(load.accepted) > n + 800, 60, "the load flows")
            kill(stack, "live")
    wait_for(lambda: {row["event_id"] for row in raw_rows(stack, load)} >= load.accepted, SETTLE_DEADLINE_S, "raw rows")
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
