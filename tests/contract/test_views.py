"""The tables and views on the real engine: hand-made rows against hand-computed results."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver import Client

from processors.writer.clickhouse import connect
from processors.writer.insert import INSERT_SETTINGS
from processors.writer.migrate import migrate
from schemas.event import Event
from schemas.migrations import load_query, query_names
from schemas.rows import (
    AlertRow,
    AttemptState,
    ErrorRateRow,
    FrictionSignalRow,
    FunnelAttemptRow,
    FunnelCohortRow,
    RejectedRow,
    SessionRow,
)
from schemas.settings import ClickHouseSettings
from tests.support.stack import ClickHouseServer

pytestmark = pytest.mark.integration

T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)
STEPS = ["cart", "address", "pay"]
FUNNEL_NUMBERS = (
    "name, entered, passed, dropped, open, ripe, conversion_from_start, conversion_from_previous, "
    "median_seconds, value_lost"
)
NOVEMBER = "from='2026-11-01 00:00:00', to='2026-12-01 00:00:00'"

STRUCTS: dict[str, type[msgspec.Struct]] = {
    "clickstream": Event,
    "errors": Event,
    "checkouts": Event,
    "sessions": SessionRow,
    "funnel_attempts": FunnelAttemptRow,
    "funnel_cohorts": FunnelCohortRow,
    "friction_signals": FrictionSignalRow,
    "error_rates": ErrorRateRow,
    "rejected": RejectedRow,
    "alerts": AlertRow,
}


@pytest.fixture
def db(clickhouse: ClickHouseServer) -> Iterator[Client]:
    settings = ClickHouseSettings(url=clickhouse.url, database=f"v{uuid.uuid4().hex[:10]}")
    migrate(settings)
    client = connect(settings)
    try:
        yield client
    finally:
        client.close()


def insert(db: Client, table: str, rows: Sequence[Any]) -> None:
    """The rows as the writer inserts them."""
    body = b"\n".join(msgspec.json.encode(row) for row in rows)
    db.raw_insert(table, insert_block=body, fmt="JSONEachRow", settings=INSERT_SETTINGS)


def rows(db: Client, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in db.query(sql, tz_mode="aware").result_rows]


def page_view(event_id: str, ts: datetime, **fields: Any) -> Event:
    made: dict[str, Any] = {"site": "shop", "kind": "clickstream", "type": "page_view", "received_at": ts} | fields
    return Event(event_id=event_id, ts=ts, **made)


def attempt(
    attempt_id: str, state: AttemptState, minutes: Sequence[float], value: float = 0, **fields: Any
) -> FunnelAttemptRow:
    """An attempt that reached its steps `minutes` after T0."""
    times = [T0 + timedelta(minutes=minute) for minute in minutes]
    made: dict[str, Any] = {
        "site": "shop",
        "funnel": "checkout",
        "visitor_id": "v",
        "version": 1,
        "steps": STEPS,
        "ripe": True,
    } | fields
    return FunnelAttemptRow(
        attempt_id=attempt_id,
        state=state,
        started_at=times[0],
        step_times=[*times, *([None] * (len(STEPS) - len(times)))],
        step_reached=len(times),
        value=value,
        **made,
    )


@pytest.mark.parametrize("table", STRUCTS)
def test_every_field_of_a_row_has_its_column(db: Client, table: str) -> None:
    columns = {
        name
        for (name,) in rows(
            db, f"SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '{table}'"
        )
    }
    fields = {field.encode_name for field in msgspec.structs.fields(STRUCTS[table])}
    assert fields <= columns
    assert columns - fields <= {"client_day", "first_received", "value"}


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("sessions", SessionRow(site="s", visitor_id="v", session_id="i", started_at=T0, version=1)),
        (
            "funnel_attempts",
            FunnelAttemptRow(site="s", funnel="f", attempt_id="a", visitor_id="v", started_at=T0, version=1),
        ),
        (
            "friction_signals",
            FrictionSignalRow(site="s", signal="g", signal_id="i", ts=T0, visitor_id="v", version=1),
        ),
        (
            "funnel_cohorts",
            FunnelCohortRow(site="s", funnel="f", funnel_version=1, minute=T0, step=1, source_partition=1, version=1),
        ),
        ("error_rates", ErrorRateRow(site="s", minute=T0, source_partition=1, version=1)),
        ("rejected", RejectedRow(rejected_id="r", received_at=T0)),
        ("clickstream", page_view("e", T0)),
    ],
)
def test_a_field_left_out_reads_as_its_default(db: Client, table: str, row: msgspec.Struct) -> None:
    insert(db, table, [row])
    result = db.query(f"SELECT * FROM {table} FINAL", tz_mode="aware")
    stored = dict(zip(result.column_names, result.result_rows[0], strict=True))
    unknown_time = {"client_ts", "sent_at"}  # in the sort key or beside it: 1970 stands for null
    for field in msgspec.structs.fields(row):
        wanted = getattr(row, field.name)
        if field.name in unknown_time:
            assert stored[field.name] == datetime(1970, 1, 1, tzinfo=UTC)
        else:
            assert stored[field.encode_name] == wanted, field.name


def test_every_column_of_tables_and_views_has_a_comment(db: Client) -> None:
    bare = rows(db, "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = ''")
    assert bare == []
    described = rows(
        db, "SELECT view, groupArray(column) FROM v_columns WHERE comment != '' GROUP BY view ORDER BY view"
    )
    sources = {
        "v_columns": "v_columns",
        "v_error_rate": "v_error_rate",
        "v_errors": "v_errors",
        "v_friction": "v_friction",
        "v_funnel": f"v_funnel(funnel='x', {NOVEMBER})",
        "v_funnel_by": f"v_funnel_by(funnel='x', {NOVEMBER}, by='device')",
        "v_funnel_cohorts": "v_funnel_cohorts",
        "v_logins": "v_logins",
        "v_outages": "v_outages",
        "v_session_health": "v_session_health",
        "v_sessions": "v_sessions",
        "v_uptime": "v_uptime",
    }
    assert [view for view, _ in described] == sorted(sources)
    for view, columns in described:
        source = sources[view]
        assert list(db.query(f"SELECT * FROM {source} LIMIT 0").column_names) == columns


def test_final_keeps_one_of_two_copies_in_different_months(db: Client) -> None:
    first = datetime(2026, 11, 30, 23, 59, 59, 900_000, tzinfo=UTC)
    second = datetime(2026, 12, 1, 0, 0, 5, tzinfo=UTC)
    insert(db, "clickstream", [page_view("a", second, url="second")])
    insert(db, "clickstream", [page_view("a", first, url="first"), page_view("b", first)])
    assert rows(db, "SELECT count(), uniqExact(_partition_id) FROM clickstream") == [(3, 2)]
    assert rows(db, "SELECT event_id, url, received_at FROM clickstream FINAL ORDER BY event_id") == [
        ("a", "first", first),
        ("b", "", first),
    ]
    december = "ts >= '2026-12-01 00:00:00'"
    assert rows(db, f"SELECT event_id FROM clickstream FINAL WHERE {december}") == [], "the kept copy is November's"
    assert rows(db, f"SELECT count() FROM clickstream FINAL WHERE NOT {december}") == [(2,)]
    db.command("OPTIMIZE TABLE clickstream FINAL")
    assert rows(db, "SELECT count() FROM clickstream FINAL") == [(2,)]


def test_a_retry_with_the_clients_time_is_one_row(db: Client) -> None:
    copies = [
        page_view("a", T0, client_ts=T0, received_at=T0 + timedelta(seconds=n), ts_source="client") for n in range(3)
    ]
    for copy in copies:
        insert(db, "clickstream", [copy])
    assert rows(db, "SELECT count(), min(received_at) FROM clickstream FINAL") == [(1, T0)]


def test_hostile_times_are_kept_and_spread_over_any_number_of_months(db: Client) -> None:
    months = [page_view(f"e{n}", datetime(1990 + n // 12, 1 + n % 12, 1, tzinfo=UTC)) for n in range(240)]
    insert(db, "clickstream", months)
    assert rows(db, "SELECT count() FROM clickstream FINAL") == [(240,)]


def test_the_same_insert_again_adds_no_row_and_another_under_its_token_would_be_dropped(db: Client) -> None:
    body = msgspec.json.encode(page_view("a", T0))
    for _ in range(2):
        db.raw_insert(
            "clickstream",
            insert_block=body,
            fmt="JSONEachRow",
            settings={**INSERT_SETTINGS, "insert_deduplication_token": "t"},
        )
    assert rows(db, "SELECT count() FROM clickstream") == [(1,)]
    other = msgspec.json.encode(page_view("b", T0))
    db.raw_insert(
        "clickstream",
        insert_block=other,
        fmt="JSONEachRow",
        settings={**INSERT_SETTINGS, "insert_deduplication_token": "t"},
    )
    assert rows(db, "SELECT count() FROM clickstream") == [(1,)], "why the token is made of the bytes too"


def test_v_funnel_counts_by_hand(db: Client) -> None:
    insert(
        db,
        "funnel_attempts",
        [
            attempt("a1", "converted", [0, 1, 3], 100),  # 60 s, then 120 s
            attempt("a2", "recovered", [0, 3, 7], 50),  # 180 s, 240 s
            attempt("a3", "abandoned", [0, 2], 30),  # 120 s, lost at address
            attempt("a4", "abandoned", [0], 20),
            attempt("a5", "abandoned", [0], 5),
            attempt("a6", "stalled", [0, 5], 70),  # 300 s, still there
            attempt("a7", "open", [0], 1),
            attempt("bot", "abandoned", [0], 999, is_bot=True),
            attempt("gone", "abandoned", [0], 999),
            attempt("other", "abandoned", [0], 999, funnel="signup"),
            attempt("early", "abandoned", [-60 * 24 * 30], 999),
        ],
    )
    insert(
        db,
        "funnel_attempts",
        [
            attempt("gone", "abandoned", [0], 999, version=2, deleted=1),
            attempt("a7", "abandoned", [0, 1], 40, version=2),  # a newer snapshot: moved on by 60 s, then left
        ],
    )
    insert(db, "funnel_attempts", [attempt("a7", "open", [0], 1, version=1)])  # an old one again
    result = rows(db, f"SELECT {FUNNEL_NUMBERS} FROM v_funnel(funnel='checkout', {NOVEMBER})")
    assert result == [
        ("cart", 7, 5, 2, 0, 7, 1.0, None, None, 25.0),
        ("address", 5, 2, 2, 1, 5, 5 / 7, 5 / 7, 120.0, 70.0),
        ("pay", 2, 2, 0, 0, 2, 2 / 7, 2 / 5, 180.0, 0.0),
    ]
    assert all(entered == passed + dropped + open_ for _, entered, passed, dropped, open_, *_ in result)


def test_v_funnel_rates_only_what_is_ripe(db: Client) -> None:
    insert(
        db,
        "funnel_attempts",
        [
            attempt("a1", "converted", [0, 1, 3]),
            attempt("a2", "abandoned", [0, 1]),
            attempt("a3", "abandoned", [0]),
            attempt("a4", "converted", [0, 1, 2], ripe=False),  # quick ones convert first: they must wait for the rest
            attempt("a5", "open", [0], ripe=False),
            attempt("a6", "excluded", [0, 1], excluded_by="staff"),
        ],
    )
    result = rows(db, f"SELECT {FUNNEL_NUMBERS}, ripe_attempts FROM v_funnel(funnel='checkout', {NOVEMBER})")
    assert result == [
        ("cart", 5, 3, 1, 1, 3, 1.0, None, None, 0.0, 3),
        ("address", 3, 2, 1, 0, 2, 2 / 3, 2 / 3, 60.0, 0.0, 3),
        ("pay", 2, 2, 0, 0, 1, 1 / 3, 1 / 2, 90.0, 0.0, 3),
    ]


def test_v_funnel_follows_attempts_that_left_out_optional_steps(db: Client) -> None:
    skipped = attempt("a1", "converted", [0, 1, 3])
    skipped.step_times[1] = None
    last_first = attempt("a2", "abandoned", [0, 2, 1])  # a funnel of any order: it stands where it was last
    last_first.step_reached = 2
    last_first.step_times = [last_first.step_times[0], last_first.step_times[1], last_first.step_times[2]]
    insert(db, "funnel_attempts", [skipped, last_first])
    result = rows(db, f"SELECT {FUNNEL_NUMBERS} FROM v_funnel(funnel='checkout', {NOVEMBER})")
    assert [row[:5] for row in result] == [("cart", 2, 2, 0, 0), ("address", 1, 0, 1, 0), ("pay", 2, 2, 0, 0)]
    assert [row[8] for row in result] == [None, 60.0, 120.0]


def test_v_funnel_says_why_people_left_each_step(db: Client) -> None:
    seen: dict[str, Any] = {"friction": {"rage_click": 3}, "first_cause": "rage_click", "currency": "EUR"}
    failed: dict[str, Any] = {
        "friction": {"rage_click": 1, "slow_step": 1},
        "error_counts": {"f1": 4, "f2": 1},
        "error_messages": {"f1": "payment: declined", "f2": "js: boom"},
        "first_cause": "error:payment",
        "currency": "EUR",
    }
    insert(
        db,
        "funnel_attempts",
        [
            attempt("a1", "abandoned", [0, 1], 10, **seen),
            attempt("a2", "abandoned", [0, 1], 20, **failed),
            attempt("a3", "abandoned", [0, 1], 30, **(failed | {"currency": "USD"})),
            attempt("a4", "abandoned", [0, 1], 40),
            attempt("a5", "stalled", [0, 1], 50, **failed),  # still there: it did not leave
            attempt("a6", "abandoned", [0], 60, error_counts={"f3": 1}, error_messages={"f3": "js: x"}, currency="EUR"),
        ],
    )
    why = "value_lost, currency, troubled, top_friction, top_friction_attempts, top_fingerprint, top_error"
    result = rows(
        db, f"SELECT {why}, top_error_attempts, first_cause FROM v_funnel(funnel='checkout', {NOVEMBER}) LIMIT 2"
    )
    assert result == [
        (60.0, "EUR", 0, "", 0, "f3", "js: x", 1, ""),
        (100.0, "mixed", 3, "rage_click", 3, "f1", "payment: declined", 2, "error:payment"),
    ]


def test_v_funnel_by_breaks_a_funnel_down(db: Client) -> None:
    insert(
        db,
        "funnel_attempts",
        [
            attempt("a1", "converted", [0, 1, 2], device="mobile", breakdown={"plan": "pro"}),
            attempt("a2", "abandoned", [0], device="mobile"),
            attempt("a3", "abandoned", [0], device="desktop", breakdown={"plan": "pro"}),
        ],
    )

    def by(dimension: str) -> list[tuple[Any, ...]]:
        source = f"v_funnel_by(funnel='checkout', {NOVEMBER}, by='{dimension}')"
        return rows(db, f"SELECT segment, entered, conversion_from_start FROM {source} WHERE step IN (1, 3)")

    assert by("device") == [("desktop", 1, 1.0), ("desktop", 0, 0.0), ("mobile", 2, 1.0), ("mobile", 1, 0.5)]
    assert by("plan") == [("", 1, 1.0), ("", 0, 0.0), ("pro", 2, 1.0), ("pro", 1, 0.5)]
    assert by("") == [("", 3, 1.0), ("", 1, 1 / 3)]


def test_v_funnel_cohorts_sums_partitions_and_rates_ripe_minutes(db: Client) -> None:
    def cohort(partition: int, version: int = 1, **fields: Any) -> FunnelCohortRow:
        key: dict[str, Any] = {"site": "shop", "funnel": "checkout", "funnel_version": 2, "minute": T0, "step": 1}
        return FunnelCohortRow(**key, source_partition=partition, version=version, name="cart", **fields)

    insert(db, "funnel_cohorts", [cohort(0, entered=3, open=3, value=30)])
    insert(
        db,
        "funnel_cohorts",
        [
            cohort(0, 2, entered=3, passed=1, abandoned=2, value=30, value_lost=20, ripe=True),
            cohort(1, 2, entered=1, stalled=1, value=5.5),
            cohort(2, 3, ripe=False),  # its only attempt moved to another minute
        ],
    )
    numbers = "entered, passed, stalled, abandoned, open, value, value_lost, ripe, conversion"
    assert rows(db, f"SELECT {numbers} FROM v_funnel_cohorts") == [(4, 1, 1, 2, 0, 35.5, 20.0, False, None)]
    insert(db, "funnel_cohorts", [cohort(1, 3, entered=1, passed=1, value=5.5, ripe=True)])
    assert rows(db, f"SELECT {numbers} FROM v_funnel_cohorts") == [(4, 2, 0, 2, 0, 35.5, 20.0, True, 0.5)]


def test_v_funnel_shows_steps_nobody_reached_and_never_mixes_versions(db: Client) -> None:
    insert(
        db,
        "funnel_attempts",
        [attempt("a1", "open", [0]), attempt("a2", "open", [0], steps=["start", "end", "x"], funnel_version=2)],
    )
    result = rows(
        db,
        "SELECT funnel_version, step, name, entered, open, conversion_from_start, conversion_from_previous, "
        f"median_seconds FROM v_funnel(funnel='checkout', {NOVEMBER})",
    )
    assert result == [
        (1, 1, "cart", 1, 1, 1.0, None, None),
        (1, 2, "address", 0, 0, 0.0, 0.0, None),
        (1, 3, "pay", 0, 0, 0.0, None, None),
        (2, 1, "start", 1, 1, 1.0, None, None),
        (2, 2, "end", 0, 0, 0.0, 0.0, None),
        (2, 3, "x", 0, 0, 0.0, None, None),
    ]
    assert rows(db, "SELECT * FROM v_funnel(funnel='checkout', from='2027-01-01', to='2027-02-01')") == []


def test_v_sessions_shows_the_newest_snapshot_and_no_retracted_one(db: Client) -> None:
    def session(session_id: str, **fields: Any) -> SessionRow:
        made: dict[str, Any] = {"site": "shop", "visitor_id": "v", "started_at": T0, "version": 1} | fields
        return SessionRow(session_id=session_id, **made)

    end = T0 + timedelta(seconds=90.5)
    insert(
        db,
        "sessions",
        [session("s1", version=2, ended_at=end, page_views=3), session("s2"), session("bot", is_bot=True)],
    )
    insert(db, "sessions", [session("s1", version=1, page_views=1), session("s2", version=2, deleted=1)])
    assert rows(db, "SELECT session_id, page_views, duration_s, is_bot FROM v_sessions ORDER BY session_id") == [
        ("bot", 0, None, True),
        ("s1", 3, 90.5, False),
    ]


def test_v_friction_counts_signals_and_their_sessions(db: Client) -> None:
    def signal(signal_id: str, visitor: str, session: str, **fields: Any) -> FrictionSignalRow:
        made: dict[str, Any] = {
            "site": "shop",
            "signal": "rage_click",
            "ts": T0,
            "version": 1,
            "page": "/cart",
        } | fields
        return FrictionSignalRow(signal_id=signal_id, visitor_id=visitor, session_id=session, element="#buy", **made)

    later = T0 + timedelta(hours=1)
    insert(
        db,
        "friction_signals",
        [
            signal("1", "v1", "s1"),
            signal("2", "v1", "s1", ts=later),
            signal("3", "v2", "s1"),
            signal("4", "v3", "s3"),
            signal("5", "v4", "s4", is_bot=True),
            signal("6", "v5", "s5", page="/pay"),
            signal("7", "v6", "s6", ts=T0 + timedelta(days=1)),
        ],
    )
    insert(db, "friction_signals", [signal("4", "v3", "s3", version=2, deleted=1), signal("1", "v1", "s1")])
    assert rows(
        db, "SELECT day, page, signals, sessions, visitors, first_at, last_at FROM v_friction ORDER BY day, page"
    ) == [
        (T0.date(), "/cart", 3, 2, 2, T0, later),
        (T0.date(), "/pay", 1, 1, 1, T0, T0),
        (T0.date() + timedelta(days=1), "/cart", 1, 1, 1, T0 + timedelta(days=1), T0 + timedelta(days=1)),
    ]


def test_v_friction_stands_beside_its_sessions_and_what_was_abandoned_on_that_step(db: Client) -> None:
    def signal(n: int, session: str, at: datetime, kind: str = "coupon_denied") -> FrictionSignalRow:
        return FrictionSignalRow(
            site="shop", signal=kind, signal_id=f"{n}", ts=at, visitor_id=f"v-{session}", session_id=session, version=1
        )

    def tried(session: str, state: AttemptState, value: float, **fields: Any) -> FunnelAttemptRow:
        last = T0 + timedelta(minutes=5)
        return attempt(
            session + fields.get("funnel", ""),
            state,
            [0, 5],
            value,
            visitor_id=f"v-{session}",
            session_id=session,
            last_step_at=last,
            **fields,
        )

    on_step = T0 + timedelta(minutes=6)
    insert(
        db,
        "sessions",
        [SessionRow(site="shop", visitor_id=f"v{n}", session_id="s", started_at=T0, version=1) for n in range(8)],
    )
    insert(
        db,
        "friction_signals",
        [
            signal(1, "left", on_step),
            signal(2, "left", on_step + timedelta(minutes=1)),
            signal(3, "bought", on_step),
            signal(4, "earlier", T0),
            signal(5, "bot", on_step),
            signal(6, "later", on_step + timedelta(days=2)),
        ],
    )
    insert(
        db,
        "funnel_attempts",
        [
            tried("left", "abandoned", 40, friction={"coupon_denied": 2}),
            tried("left", "abandoned", 30, friction={"coupon_denied": 2}, funnel="lead"),
            tried("bought", "converted", 50),
            tried("earlier", "abandoned", 60, friction={"rage_click": 1}),
            tried("bot", "abandoned", 70, friction={"coupon_denied": 1}, is_bot=True),
        ],
    )
    found = rows(
        db,
        "SELECT signals, sessions, session_share, abandoned_attempts, value_at_stake FROM v_friction ORDER BY day",
    )
    assert found == [(5, 4, 4 / 8, 2, 40.0), (1, 1, None, 0, 0.0)]


def test_v_logins_counts_tries_and_sessions(db: Client) -> None:
    def tried(n: int, type_: str, session: str, **fields: Any) -> Event:
        kind = "clickstream" if type_ == "login" else "error"
        at = T0 + timedelta(minutes=n)
        made: dict[str, Any] = {"kind": kind, "type": type_, "visitor_id": "", "session_id": session} | fields
        return page_view(f"e{n}", at, **made)

    insert(db, "clickstream", [tried(1, "login", "a"), tried(2, "login", "b"), tried(3, "login", "x", is_bot=True)])
    refused = [tried(n, "login_failed", "b") for n in range(4, 7)] + [tried(7, "login_failed", "c")]
    insert(db, "errors", refused)
    insert(db, "errors", refused[:1])
    assert rows(db, "SELECT * EXCEPT (site) FROM v_logins") == [(T0, 6, 2, 4, 3, 2, 1, 2 / 6, 2 / 3)]


def test_v_session_health_counts_each_session_by_its_last_update(db: Client) -> None:
    def health(n: int, release: str = "a", *, minutes: int = 0, **props: Any) -> Event:
        started = {"started": T0.isoformat()} if "sid" in props else {}
        at = T0 + timedelta(minutes=minutes)
        return page_view(f"h{n}", at, type="session_health", release=release, props=started | props)

    updates = [
        health(1, sid="s1", status="ok"),
        health(2, sid="s1", status="exited", minutes=1),
        health(3, sid="s2", status="ok", errors=1),
        health(4, sid="s2", status="crashed", errors=2, minutes=24 * 60),
        health(5, sid="s3", status="exited", errors=1),
        health(6, sid="s4", status="abnormal"),
        health(7, sid="s5", status="unhandled", errors=1),
        health(8, exited=10, errored=2, crashed=1),
        health(9, release="b", exited=3),
        health(10, sid="s6", status="crashed", release="b", minutes=1),
    ]
    insert(db, "clickstream", updates)
    insert(db, "clickstream", updates[:4])
    found = rows(db, "SELECT * EXCEPT (site, day) FROM v_session_health ORDER BY release")
    assert found == [("a", 18, 11, 3, 1, 2, 1, 1 - 2 / 18), ("b", 4, 3, 0, 0, 1, 0, 0.75)]
    assert rows(db, "SELECT DISTINCT day FROM v_session_health") == [(T0.date(),)]


def test_v_error_rate_sums_partitions_over_the_cells_own_denominator(db: Client) -> None:
    def cell(partition: int, class_: str, events: int, sessions: int, views: int = 0, **fields: Any) -> ErrorRateRow:
        made: dict[str, Any] = {"site": "shop", "minute": T0, "version": events, "page": "/pay"} | fields
        return ErrorRateRow(
            source_partition=partition,
            class_=class_,
            fingerprint="f" if class_ else "",
            message="boom" if class_ else "",
            events=events,
            sessions=sessions,
            visitors=sessions,
            page_views=views,
            requests=views,
            **made,
        )

    insert(
        db,
        "error_rates",
        [
            cell(0, "", 40, 10, 20, browser="Firefox"),
            cell(0, "", 10, 5, 10, browser="Safari"),
            cell(1, "", 30, 5, 20, browser="Firefox"),
            cell(0, "js", 4, 2, browser="Firefox"),
            cell(0, "js", 1, 1, browser="Safari"),
            cell(1, "js", 5, 2, browser="Firefox"),
            cell(0, "", 8, 4, 8, page="/cart"),
        ],
    )
    insert(
        db, "error_rates", [cell(0, "", 20, 7, 15, browser="Firefox"), cell(1, "js", 5, 2, browser="Firefox")]
    )  # stale
    assert rows(
        db,
        "SELECT page, browser, class, fingerprint, message, errors, error_sessions, error_visitors, page_views,"
        " sessions, requests, errors_per_page_view, error_session_rate, errors_per_request"
        " FROM v_error_rate ORDER BY page, browser, class",
    ) == [
        ("/cart", "", "", "", "", 0, 0, 0, 8, 4, 8, 0.0, 0.0, 0.0),
        ("/pay", "Firefox", "", "", "", 0, 0, 0, 40, 15, 40, 0.0, 0.0, 0.0),
        ("/pay", "Firefox", "js", "f", "boom", 9, 4, 4, 40, 15, 40, 0.225, 4 / 15, 0.225),
        ("/pay", "Safari", "", "", "", 0, 0, 0, 10, 5, 10, 0.0, 0.0, 0.0),
        ("/pay", "Safari", "js", "f", "boom", 1, 1, 1, 10, 5, 10, 0.1, 0.2, 0.1),
    ]


def rate(minute: datetime, events: int, class_: str = "", fingerprint: str = "", release: str = "r1") -> ErrorRateRow:
    """A row of one partition, release and page."""
    return ErrorRateRow(
        site="shop",
        minute=minute,
        source_partition=0,
        version=events,
        class_=class_,
        fingerprint=fingerprint,
        page="/pay",
        release=release,
        events=events,
    )


def test_v_errors_tells_what_a_release_brought(db: Client) -> None:
    old, new = T0, T0 + timedelta(hours=1)
    traffic = [rate(old, 9), rate(new, 9, release="r2")]
    known = [rate(old, 1, "js", "known"), rate(new, 2, "js", "known", "r2")]
    insert(db, "error_rates", [*traffic, *known, rate(new + timedelta(minutes=5), 3, "js", "fresh", "r2")])
    told = rows(
        db,
        "SELECT fingerprint, release, errors, first_seen, first_seen_ever, is_new FROM v_errors"
        " ORDER BY fingerprint, release",
    )
    five = new + timedelta(minutes=5)
    assert told == [
        ("fresh", "r2", 3, five, five, True),
        ("known", "r1", 1, old, old, False),
        ("known", "r2", 2, new, old, False),
    ]


def test_silence_is_an_outage_only_where_it_cannot_be_chance(db: Client) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    start = now - timedelta(minutes=100)
    busy = [rate(start + timedelta(minutes=n), 20) for n in range(101) if not 60 <= n < 70]
    quiet = [rate(start + timedelta(minutes=n), 1) for n in range(0, 101, 4)]
    for row in quiet:
        row.site = "blog"
    insert(db, "error_rates", [*busy, *quiet])
    (found,) = rows(
        db, "SELECT site, last_traffic, next_traffic, minutes FROM v_outages WHERE next_traffic IS NOT NULL"
    )
    assert found == ("shop", start + timedelta(minutes=59), start + timedelta(minutes=70), 10)
    down = dict(rows(db, "SELECT site, sum(minutes_down) FROM v_uptime GROUP BY site"))
    assert (down["shop"] >= 10, down["blog"]) == (True, 0)
    assert rows(db, "SELECT min(uptime) < 1, max(uptime) <= 1 FROM v_uptime WHERE site = 'shop'") == [(True, True)]


@pytest.mark.parametrize("name", query_names())
def test_every_public_query_runs_as_it_stands(db: Client, name: str) -> None:
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    shift: dict[str, Any] = {"started_at": now}
    insert(db, "funnel_attempts", [msgspec.structs.replace(attempt("a", "open", [0]), **shift)])
    insert(db, "sessions", [SessionRow(site="shop", visitor_id="v", session_id="s", version=1, **shift)])
    insert(
        db,
        "friction_signals",
        [FrictionSignalRow(site="s", signal="g", signal_id="1", ts=now, visitor_id="v", version=1)],
    )
    insert(db, "error_rates", [ErrorRateRow(site="s", minute=now, source_partition=0, version=1, page_views=1)])
    insert(db, "clickstream", [page_view("e", now, type="login", session_id="s")])
    cohort = FunnelCohortRow(
        site="s", funnel="checkout", funnel_version=2, minute=now, step=1, source_partition=0, version=1, entered=1
    )
    insert(db, "funnel_cohorts", [cohort])
    assert rows(db, load_query(name)), "a row of the last minutes shows"


def test_window_funnel_as_documented(db: Client) -> None:
    """The facts that queries of our own over raw tables must heed: semantics, funnels."""
    events = "(SELECT arrayJoin([(0, 'a'), (1, 'a'), (1, 'b')]) AS r, r.1 AS at, r.2 AS type)"
    level = "windowFunnel(10000{modes})(toUInt64(at), type = 'a', type = 'b')"
    strict = level.format(modes=", 'strict_increase'")
    both = level.format(modes=", 'strict_increase', 'strict_once'")
    assert rows(db, f"SELECT {strict}, {both} FROM {events}") == [(1, 2)]
