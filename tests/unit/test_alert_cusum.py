"""The test statistic and the baseline, by hand-checked figures."""

from __future__ import annotations

import math

import pytest

from processors.domain.alerts.baseline import Baseline
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
    baseline.hold(100, 100)
    baseline.learn(1, PARAMETERS)
    assert baseline.level == pytest.approx(101 / 102)


def test_held_counts_join_or_are_dropped() -> None:
    baseline = Baseline(100.0, 70.0, minute=10)
    baseline.hold(50, 0)
    assert baseline.level == pytest.approx(71 / 102)
    baseline.drop()
    baseline.learn(11, PARAMETERS)
    assert baseline.level == pytest.approx(71 / 102)


def test_the_memory_is_a_day_or_so_many_trials_whichever_is_longer() -> None:
    busy = Baseline(10_000.0, 7_000.0)
    busy.hold(3_000, 0)  # a full memory of trials, but within one minute
    busy.learn(1, PARAMETERS)
    assert busy.trials == pytest.approx(10_000 * math.exp(-1 / (60 * 24)) + 3_000)
    quiet = Baseline(1_000.0, 700.0)
    quiet.hold(1, 1)  # a month later
    quiet.learn(60 * 24 * 30, PARAMETERS)
    assert quiet.trials == pytest.approx(1_000 * math.exp(-1 / 3_000) + 1)
