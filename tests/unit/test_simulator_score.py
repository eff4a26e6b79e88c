"""The score: what is right, what is missing and what is made up, each where it belongs; and a file that is no truth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import orjson
import pytest

from schemas.truth import TruthIncident, TruthRun, TruthSession, encode
from snag.simulator.score.compare import compare
from snag.simulator.score.document import as_document
from snag.simulator.score.found import Alert, Found
from snag.simulator.score.table import INCIDENTS, RECOGNISED, incident_rows, markdown, recognised_rows
from snag.simulator.score.told import Told, TruthError, parse_truth

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
RUN = TruthRun(seed=1, site="shop", starts_at=START)


def session(name: str, stage: str = "browse", **more: object) -> TruthSession:
    base = TruthSession(
        session_id=f"s-{name}", visitor_id=f"v-{name}", starts_at=START, ends_at=START, stage=stage, stage_without=stage
    )
    return msgspec.structs.replace(base, **more)


def incident(start: datetime = START, hours: int = 2) -> TruthIncident:
    return TruthIncident(
        id="declines",
        kind="payment_decline",
        step="payment",
        starts_at=start,
        ends_at=start + timedelta(hours=hours),
        segment={},
        share=1.0,
        conversion=0.4,
        signals=["payment_failed_soft"],
        error_message="",
        met_sessions=10,
        lost_orders=4,
        lost_value=180.0,
        recovered_orders=1,
    )


def alert(minutes: int, step_name: str = "payment") -> Alert:
    at = START + timedelta(minutes=minutes)
    return Alert("funnel_step_conversion", 4, step_name, at, at + timedelta(minutes=20), f"{step_name} converts 31 %")


def told(*sessions: TruthSession, incidents: tuple[TruthIncident, ...] = ()) -> Told:
    return Told(RUN, {one.session_id: one for one in sessions}, incidents=list(incidents))


def found(**orders: int) -> Found:
    return Found(orders={f"s-{name}": count for name, count in orders.items()}, signals={}, attempts=[], alerts=[])


def test_what_is_all_right_scores_one_everywhere() -> None:
    truth = told(session("a", "ordered", friction={"rage_click": 2}), session("b", "payment"), session("c"))
    right = Found(
        orders={"s-a": 1, "s-b": 0, "s-c": 0},
        signals={"s-a": {"rage_click"}},
        attempts=[("s-a", True), ("s-b", False)],
        alerts=[],
    )
    score = compare(truth, right)
    for recognised in (score.sessions, score.attempts, score.conversions, score.signals["rage_click"]):
        assert recognised.precision == recognised.recall == 1.0
    assert score.orders.error == score.session_conversion.error == score.attempt_conversion.error == 0.0
    assert score.attempt_conversion.told == 0.5


def test_what_is_missing_costs_recall_and_what_is_made_up_precision() -> None:
    truth = told(session("a", "ordered"), session("b", "ordered", friction={"dead_click": 1}), session("c", "payment"))
    wrong = Found(
        orders={"s-a": 1, "s-x": 0},
        signals={"s-a": {"dead_click"}},
        attempts=[("s-a", True), ("s-c", True)],
        alerts=[],
    )
    score = compare(truth, wrong)
    assert (score.sessions.told, score.sessions.found, score.sessions.both) == (3, 2, 1)
    assert (score.attempts.precision, score.attempts.recall) == (1.0, pytest.approx(2 / 3))
    assert (score.conversions.precision, score.conversions.recall) == (0.5, 0.5)
    assert (score.signals["dead_click"].precision, score.signals["dead_click"].recall) == (0.0, 0.0)
    assert score.orders.error == -0.5


def test_cut_sessions_and_bots_friction_are_not_judged() -> None:
    truth = told(session("a", is_bot=True, friction={"quick_back": 1}))
    truth.cut.add("s-b")
    score = compare(truth, found(a=0, b=1))
    assert score.sessions.precision == score.sessions.recall == 1.0
    assert not score.signals


def test_a_cart_taken_up_again_is_no_attempt_of_its_own_and_leaves_the_first_one_s_end_open() -> None:
    again = session("b", "ordered", visitor_id="v-a", kept_cart=True, starts_at=START + timedelta(hours=9))
    score = compare(
        told(session("a", "payment"), again, session("c", "ordered")),
        Found(orders={"s-a": 0, "s-b": 1, "s-c": 1}, signals={}, attempts=[("s-a", True), ("s-c", True)], alerts=[]),
    )
    assert score.attempts.precision == score.attempts.recall == 1.0
    assert (score.conversions.told, score.conversions.found) == (1, 1)


def test_time_to_detect_is_that_of_the_first_alert_and_the_step_may_be_another_s() -> None:
    truth = told(session("a"), incidents=(incident(),))
    seen = found(a=0)
    one = Found(seen.orders, {}, [], [alert(50, "shipping"), alert(90)])
    score = compare(truth, one)
    assert score.incidents[0].minutes == 70 and score.incidents[0].at_step
    assert (score.alerts.told, score.alerts.found, score.alerts.both) == (1, 1, 1)
    assert not compare(truth, Found(seen.orders, {}, [], [alert(50, "shipping")])).incidents[0].at_step


def test_an_alert_outside_of_every_incident_is_false_and_an_incident_without_one_undetected() -> None:
    truth = told(session("a"), incidents=(incident(START + timedelta(days=1)),))
    score = compare(truth, Found({"s-a": 0}, {}, [], [alert(10)]))
    assert score.incidents[0].minutes is None
    assert (score.alerts.precision, score.alerts.recall) == (0.0, 0.0)
    assert score.false_alerts == ["2026-11-02 12:10 payment converts 31 %"]


def test_a_score_is_a_table_and_a_document() -> None:
    score = compare(told(session("a", "ordered"), incidents=(incident(),)), found(a=1))
    document = orjson.loads(orjson.dumps(as_document(score)))
    assert document["sessions"] == {"told": 1, "found": 1, "both": 1, "precision": 1.0, "recall": 1.0}
    assert document["incidents"][0]["minutes"] is None
    assert "| sessions | 1 | 1 | 100.0 % | 100.0 % |\n" in markdown(RECOGNISED, recognised_rows(score))
    assert "| declines | payment_decline | payment | 10 | 4 | not |  |\n" in markdown(INCIDENTS, incident_rows(score))


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([b'{"type": "page_view"}'], "f, line 1"),
        ([b"nonsense"], "f, line 1"),
        ([], "f is empty"),
        ([encode(session("a"))], "f: the first line is not the run"),
    ],
)
def test_a_file_that_is_no_truth_is_told(lines: list[bytes], says: str) -> None:
    with pytest.raises(TruthError, match=r"snag simulate --truth FILE") as error:
        parse_truth(lines, "f")
    assert str(error.value).startswith(says)
