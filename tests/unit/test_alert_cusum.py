"""The test statistic and the baseline, by hand-checked figures."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from processors.domain.alerts.baseline import Baseline, Hour
from processors.domain.alerts.cusum import advance, evidence, shifted
from schemas.alert_rule import load_alert_rules

PARAMETERS = load_alert_rules()[0].parameters


def test_evidence_is_the_sum_over_trials() -> None:
    by_hand = 3 * math.log(0.55 / 0.70) + 7 * math.log(0.45 / 0.30)
    assert evidence(10, 3, 0.70, 0.15, "down") == pytest.approx(by_hand)
    upward = 2 * math.log(0.15 / 0.05) + 8 * math.log(0.85 / 0.95)
    assert evidence(10, 2, 0.05, 0.10, "up") == pytest.approx(upward)
    assert evidence(0, 0, 0.5, 0.15, "down") == 0


def test_a_level_without_room_for_the_shift_moves_part_of_the_way() -> None:
    assert shifted(0.70, 0.15, "down") == pytest.approx(0.55)
    assert shifted(0.12, 0.15, "down") == pytest.approx(0.04)
    assert shifted(0.88, 0.15, "up") == pytest.approx(0.96)


@pytest.mark.parametrize("level", [0.0, 1.0])
@pytest.mark.parametrize("direction", ["down", "up"])
def test_evidence_is_finite_at_the_ends(level: float, direction: str) -> None:
    for successes in (0, 5):
        assert math.isfinite(evidence(5, successes, level, 0.15, "down" if direction == "down" else "up"))


def test_the_cusum_has_a_floor() -> None:
    assert advance(1.0, -3.0) == 0.0
    assert advance(1.0, 2.0) == 3.0


def test_a_baseline_of_ones_is_not_one() -> None:
    baseline = Baseline()
    assert baseline.level == 0.5
    baseline.hold(1, 100, 100)
    baseline.learn(1, PARAMETERS)
    assert baseline.level == pytest.approx(101 / 102)


def test_held_counts_join_or_are_dropped() -> None:
    baseline = Baseline(100.0, 70.0, minute=10)
    baseline.hold(10, 50, 0)
    assert baseline.level == pytest.approx(71 / 102)
    baseline.drop()
    baseline.learn(11, PARAMETERS)
    assert baseline.level == pytest.approx(71 / 102)


def test_the_memory_is_a_day_or_so_many_trials_whichever_is_longer() -> None:
    busy = Baseline(10_000.0, 7_000.0)
    busy.hold(1, 3_000, 0)  # a full memory of trials, but within one minute
    busy.learn(1, PARAMETERS)
    assert busy.trials == pytest.approx(10_000 * math.exp(-1 / (60 * 24)) + 3_000)
    quiet = Baseline(1_000.0, 700.0)
    quiet.hold(60 * 24 * 30, 1, 1)  # a month later
    quiet.learn(60 * 24 * 30, PARAMETERS)
    assert quiet.trials == pytest.approx(1_000 * math.exp(-1 / 3_000) + 1)


def test_the_hours_of_the_day_are_learned_and_the_level_between_them_is_a_straight_line() -> None:
    baseline = Baseline()
    for minute in range(14 * 1440):  # by day 80 of 100, by night 40
        share = 80 if 6 <= minute // 60 % 24 < 18 else 40
        baseline.hold(minute, 100, share)
        baseline.learn(minute, PARAMETERS)
    assert baseline.level == pytest.approx(0.6, abs=0.02)
    day = 14 * 1440
    assert baseline.level_at(day + 12 * 60, PARAMETERS) == pytest.approx(0.8, abs=0.02)
    assert baseline.level_at(day, PARAMETERS) == pytest.approx(0.4, abs=0.02)
    assert baseline.level_at(day + 6 * 60, PARAMETERS) == pytest.approx(0.6, abs=0.02)
    levels = [baseline.level_at(day + minute, PARAMETERS) for minute in range(1440)]
    assert max(abs(after - before) for before, after in pairwise(levels)) < 0.01


def test_an_hour_with_few_trials_says_little_and_a_level_never_leaves_its_bounds() -> None:
    baseline = Baseline(3_000.0, 2_970.0)
    baseline.hold(30, 2, 0)
    baseline.learn(30, PARAMETERS)
    assert baseline.level_at(30, PARAMETERS) == pytest.approx(baseline.level)
    baseline.hours[0], baseline.hours[12] = Hour(1e6, 1e6, 0), Hour(1e6, -1e6, 0)
    assert baseline.level_at(30, PARAMETERS) == pytest.approx(0.995)
    assert baseline.level_at(12 * 60 + 30, PARAMETERS) == pytest.approx(0.005)
