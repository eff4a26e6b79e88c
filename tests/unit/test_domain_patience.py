"""How long a step usually takes: learnt from enough recent times, bounded, kept in the checkpoint."""

from __future__ import annotations

import json
from random import Random

import pytest

from processors.domain.bucket import Bucket
from processors.domain.fact import decode_lines
from processors.domain.funnels.patience import MIN_TIMES, StepKey, StepTimes
from processors.domain.partition import Partition
from processors.domain.rules import Rules
from schemas.funnel import load_funnels
from tests.oracle.events import milliseconds, moment

CHECKOUT = next(f for f in load_funnels() if f.name == "checkout")
KEY: StepKey = ("shop", "checkout", CHECKOUT.version, 1)
HALF_HOUR_MS = 1_800_000
DAY_MS = 86_400_000


def patience_s(times: StepTimes, site: str = "shop", step: int = 1) -> float:
    return times.patience_ms(site, CHECKOUT, step, HALF_HOUR_MS) / 1000


def learnt(seconds: list[float], at: int = 0) -> StepTimes:
    times = StepTimes()
    for each in seconds:
        times.learn(KEY, each, at)
    return times


def test_fifty_times_are_enough() -> None:
    assert patience_s(learnt([30.0] * 49)) == 120
    assert patience_s(learnt([30.0] * 50)) == 30


def test_until_enough_times_are_known_the_definition_holds() -> None:
    assert patience_s(learnt([30.0] * (MIN_TIMES - 1))) == 120
    assert patience_s(learnt([30.0] * MIN_TIMES)) == 30
    assert patience_s(learnt([30.0] * MIN_TIMES), step=2) == 120
    assert patience_s(learnt([30.0] * MIN_TIMES), site="other") == 120


def test_it_is_the_95th_percentile() -> None:
    random = Random(7)
    seconds = [random.lognormvariate(4, 0.8) for _ in range(1500)]
    assert patience_s(learnt(seconds)) == pytest.approx(sorted(seconds)[1425], rel=0.05)


def test_it_is_bounded_by_ten_seconds_and_the_idle_time() -> None:
    assert patience_s(learnt([0.2] * MIN_TIMES)) == 10
    assert patience_s(learnt([9_999.0] * MIN_TIMES)) == 1800


def test_old_times_are_forgotten() -> None:
    times = learnt([300.0] * MIN_TIMES)
    for day in (1, 2):
        for _ in range(200):
            times.learn(KEY, 30.0, day * DAY_MS)
    assert patience_s(times) == 30


def test_a_new_generation_still_knows_the_one_before() -> None:
    times = learnt([300.0] * MIN_TIMES)
    times.learn(KEY, 30.0, DAY_MS)
    assert patience_s(times) == 300


def test_it_survives_a_restart() -> None:
    times = learnt([float(n) for n in range(500)])
    back = StepTimes.load(times.dump())
    assert patience_s(back) == patience_s(times) > 400
    assert back.dump() == times.dump()


def test_the_steps_of_many_sites_are_bounded() -> None:
    times = StepTimes()
    for n in range(1_200):
        times.learn((f"site{n}", "checkout", 2, 1), 30.0, 0)
    assert len(times.dump()) < 500_000


@pytest.mark.parametrize(
    ("pause_ms", "is_bot", "visitors", "expected_s"),
    [
        (20_000, False, 50, 20),
        (20_000, False, 49, 120),
        (20_000, True, 50, 120),
        (HALF_HOUR_MS, False, 50, 1800),
        (HALF_HOUR_MS + 1, False, 50, 120),
    ],
)
def test_a_step_is_learnt_once_of_people_who_did_not_go_away(
    pause_ms: int, is_bot: bool, visitors: int, expected_s: float
) -> None:
    state = Partition(0, [Bucket()], Rules(funnels=(CHECKOUT,)), {})
    steps = (
        ("checkout_started", 0),
        ("shipping", pause_ms),
        ("payment", pause_ms + 5_000),
        ("scroll", pause_ms + 9_000),
    )
    for offset, (type_, at) in enumerate(steps):
        when = moment(1_763_892_000_000 + at)
        stamp = when.isoformat(timespec="milliseconds")
        event = {"site": "shop", "kind": "checkout", "type": type_, "ts": stamp, "received_at": stamp, "is_bot": is_bot}
        made = [event | {"event_id": f"{type_}{n}", "visitor_id": f"v{n}"} for n in range(visitors)]
        lines, _ = decode_lines(b"\n".join(json.dumps(each).encode() for each in made))
        state.apply("checkouts", offset, lines)
        state.advance(milliseconds(when), {"checkouts": True})
        state.emit(milliseconds(when))
    assert patience_s(state.step_times) == expected_s


def test_a_partition_learns_each_step_once_and_keeps_a_visitors_patience() -> None:
    base = 1_763_892_000_000
    state = Partition(0, [Bucket()], Rules(funnels=(CHECKOUT,)), {})
    offset = 0

    def apply(who: str, type_: str, at: int) -> None:
        nonlocal offset
        when = moment(base + at).isoformat(timespec="milliseconds")
        event = {"event_id": f"{who}{type_}", "site": "shop", "kind": "checkout", "type": type_, "visitor_id": who}
        lines, _ = decode_lines(json.dumps(event | {"ts": when, "received_at": when}).encode())
        state.apply("checkouts", offset, lines)
        offset += 1

    def states(at: int, who: str) -> list[tuple[str, float]]:
        state.advance(base + at, {"checkouts": True})
        rows = [json.loads(row) for row in state.emit(base + at).rows.get("funnels", [])]
        return [(r.get("state", "open"), r.get("stalled_after_s", 0.0)) for r in rows if r["visitor_id"] == who]

    apply("early", "checkout_started", 0)
    assert states(0, "early") == [("open", 0.0)]
    for n in range(MIN_TIMES):
        apply(f"v{n}", "checkout_started", 0)
        states(1_000, "")
        apply(f"v{n}", "shipping", 20_000)
    states(20_000, "")
    states(25_000, "")
    assert state.step_times.patience_ms("shop", CHECKOUT, 1, HALF_HOUR_MS) == 20_000
    apply("late", "checkout_started", 30_000)
    assert states(30_000, "late") == [("open", 0.0)]
    assert states(49_999, "late") == []
    assert states(50_000, "late") == [("stalled", 20.0)]
    assert states(119_999, "early") == []
    assert states(120_000, "early") == [("stalled", 120.0)], "its patience was fixed when it reached the step"
