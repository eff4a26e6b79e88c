"""Forgetting on the real engine: the rows of who is listed vanish from every table, and nobody else's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver import Client

from processors.writer.clickhouse import connect
from processors.writer.erasure import sweep
from processors.writer.insert import Inserter
from processors.writer.migrate import migrate
from schemas.settings import ClickHouseSettings
from tests.support.stack import ClickHouseServer

pytestmark = pytest.mark.integration

NOW = "2026-11-23T12:00:00.000Z"
KEPT_DAYS = 30
RAW = ("clickstream", "errors", "checkouts")
DERIVED = ("sessions", "funnel_attempts", "friction_signals")
AWKWARD = "o'neil \\ \"x\" ('),(' 中"


@pytest.fixture
def settings(clickhouse: ClickHouseServer) -> ClickHouseSettings:
    settings = ClickHouseSettings(url=clickhouse.url, database=f"f{uuid.uuid4().hex[:10]}")
    migrate(settings)
    return settings


@pytest.fixture
def db(settings: ClickHouseSettings) -> Iterator[Client]:
    client = connect(settings)
    try:
        yield client
    finally:
        client.close()


def insert(settings: ClickHouseSettings, table: str, *rows: dict[str, Any]) -> None:
    inserter = Inserter(settings)
    try:
        inserter.insert(table, b"\n".join(json.dumps(row).encode() for row in rows), uuid.uuid4().hex)
    finally:
        inserter.close()


def leave_traces(settings: ClickHouseSettings, visitor: str, *, site: str = "shop", user: str = "") -> None:
    """One row of `visitor` in every table that has visitors, and one refused original."""
    who = {"site": site, "visitor_id": visitor}
    id_ = uuid.uuid4().hex
    for table in RAW:
        insert(settings, table, {**who, "user_id": user, "event_id": id_, "type": "x", "ts": NOW, "received_at": NOW})
    insert(settings, "sessions", {**who, "user_id": user, "session_id": id_, "started_at": NOW, "version": 8})
    insert(
        settings,
        "funnel_attempts",
        {**who, "funnel": "f", "attempt_id": id_, "started_at": NOW, "version": 8, "session_id": id_},
    )
    insert(settings, "friction_signals", {**who, "signal": "rage_click", "signal_id": id_, "ts": NOW, "version": 8})
    raw = json.dumps({"visitor_id": visitor, "ts": "nonsense"}, ensure_ascii=False)
    insert(settings, "rejected", {"rejected_id": id_, "site": site, "received_at": NOW, "code": "x", "raw": raw})


def left(db: Client) -> dict[str, set[tuple[str, str]]]:
    """(site, visitor) of every row that a reader sees, by table."""
    seen = {
        table: {(row[0], row[1]) for row in db.query(f"SELECT site, visitor_id FROM {table} FINAL").result_rows}
        for table in (*RAW, *DERIVED)
    }
    raw = db.query("SELECT site, JSONExtractString(raw, 'visitor_id') FROM rejected FINAL").result_rows
    return seen | {"rejected": {(row[0], row[1]) for row in raw}}


def everywhere(*who: tuple[str, str]) -> dict[str, set[tuple[str, str]]]:
    return {table: set(who) for table in (*RAW, *DERIVED, "rejected")}


def forget(settings: ClickHouseSettings, **who: str) -> None:
    asked = db_now(settings)
    insert(settings, "erasures", {"site": "shop", "requested_at": asked, **who})


def db_now(settings: ClickHouseSettings, ago_days: int = 0) -> str:
    client = connect(settings)
    try:
        text = f"SELECT formatDateTime(now('UTC') - INTERVAL {ago_days} DAY, '%Y-%m-%dT%H:%i:%SZ')"
        return str(client.query(text).result_rows[0][0])
    finally:
        client.close()


@pytest.mark.parametrize("visitor", ["ann", AWKWARD, "12345"])
def test_a_visitor_vanishes_from_every_table_and_nobody_else_does(
    settings: ClickHouseSettings, db: Client, visitor: str
) -> None:
    leave_traces(settings, visitor)
    leave_traces(settings, visitor)
    leave_traces(settings, "bob")
    leave_traces(settings, visitor, site="other")
    assert left(db) == everywhere(("shop", visitor), ("shop", "bob"), ("other", visitor))
    forget(settings, visitor_id=visitor)
    deleted = sweep(db, KEPT_DAYS)
    assert deleted == dict.fromkeys((*RAW, *DERIVED, "rejected"), 2)
    assert left(db) == everywhere(("shop", "bob"), ("other", visitor))
    assert sweep(db, KEPT_DAYS) == {}


def test_what_arrives_later_vanishes_with_the_next_sweep(settings: ClickHouseSettings, db: Client) -> None:
    forget(settings, visitor_id="ann")
    assert sweep(db, KEPT_DAYS) == {}
    leave_traces(settings, "ann")
    leave_traces(settings, "bob")
    sweep(db, KEPT_DAYS)
    assert left(db) == everywhere(("shop", "bob"))


def test_a_user_vanishes_with_every_visitor_id_it_was_seen_with(settings: ClickHouseSettings, db: Client) -> None:
    leave_traces(settings, "phone", user="ann")
    leave_traces(settings, "laptop", user="ann")
    leave_traces(settings, "tablet", user="bob")
    leave_traces(settings, "phone", site="other", user="ann")
    forget(settings, user_id="ann")
    sweep(db, KEPT_DAYS)
    assert left(db) == everywhere(("shop", "tablet"), ("other", "phone"))
    leave_traces(settings, "phone")  # what the live workers derive again knows the visitor only
    sweep(db, KEPT_DAYS)
    assert left(db) == everywhere(("shop", "tablet"), ("other", "phone"))


def test_an_entry_ends_with_its_time_and_is_deleted_itself(settings: ClickHouseSettings, db: Client) -> None:
    insert(
        settings,
        "erasures",
        {"site": "shop", "visitor_id": "ann", "requested_at": db_now(settings, KEPT_DAYS + 1)},
        {"site": "shop", "visitor_id": "bob", "requested_at": db_now(settings, KEPT_DAYS - 1)},
    )
    leave_traces(settings, "ann")
    leave_traces(settings, "bob")
    sweep(db, KEPT_DAYS)
    assert left(db) == everywhere(("shop", "ann"))
    assert db.query("SELECT visitor_id FROM erasures FINAL").result_rows == [("bob",)]


def test_deleted_rows_leave_the_disk(settings: ClickHouseSettings, db: Client) -> None:
    marked = "SELECT count() FROM system.parts WHERE database = currentDatabase() AND active AND has_lightweight_delete"
    leave_traces(settings, "ann")
    leave_traces(settings, "bob")
    db.command("OPTIMIZE TABLE clickstream FINAL")  # one part with both, so that it cannot be dropped as a whole
    forget(settings, visitor_id="ann")
    sweep(db, KEPT_DAYS)
    assert db.query(marked).result_rows[0][0] > 0
    sweep(db, KEPT_DAYS, purge_after_s=0)
    assert db.query(marked).result_rows == [(0,)]
    assert left(db) == everywhere(("shop", "bob"))


def test_every_table_with_visitors_is_swept(settings: ClickHouseSettings, db: Client) -> None:
    known = db.query(
        "SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() AND name = 'visitor_id' "
        "AND table NOT LIKE 'v\\\\_%'"
    ).result_rows
    assert {row[0] for row in known} == {*RAW, *DERIVED, "erasures"}, "a new table: add it to the traces of this test"
