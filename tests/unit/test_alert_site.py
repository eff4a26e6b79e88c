"""The alerts of a site, told as stories: what fires, what resolves, what is said, and what is ignored."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from bench.alerts.simulation import MINUTES_PER_WEEK, Run, changed, minute_of
from processors.domain.alerts.site import SiteAlerts, advance, hear, observe
from processors.domain.alerts.watch import fingerprint
from schemas.alert_rule import load_alert_rules
from schemas.event import to_ms
from schemas.rows import AlertRow, MinuteMetrics, StepCount

RULES = load_alert_rules()
CONVERSION, ERRORS = RULES
START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
RIPE_S = 120.0


def snapshot(
    minute: int,
    entered: int,
    passed: int,
    *,
    partition: int = 0,
    seen_after_s: float = RIPE_S + 10,
    version: int = 1,
    sessions: tuple[int, int] = (0, 0),
) -> MinuteMetrics:
    start = START + timedelta(minutes=minute)
    return MinuteMetrics(
        site="shop",
        source_partition=partition,
        minute=start,
        frontier=start + timedelta(minutes=1, seconds=seen_after_s),
        version=version,
        ripe_after_s=RIPE_S,
        steps=[StepCount(funnel="checkout", step=3, name="payment", entered=entered, passed=passed)],
        sessions=sessions[0],
        error_sessions=sessions[1],
    )


def feed(state: SiteAlerts, minutes: range, entered: int, passed: int) -> list[AlertRow]:
    return [alert for minute in minutes for alert in observe(state, snapshot(minute, entered, passed), RULES)]


def warmed() -> SiteAlerts:
    state = SiteAlerts("shop")
    assert feed(state, range(60), 10, 8) == []
    return state


def test_a_fall_fires_once_and_its_end_resolves_it() -> None:
    state = warmed()
    changes = feed(state, range(60, 90), 10, 3)
    assert [(alert.status, alert.seq) for alert in changes] == [("firing", 1)]
    firing = changes[0]
    assert firing.starts_at == START + timedelta(minutes=60)
    assert firing.ends_at is None
    assert firing.fired_at == firing.updated_at
    assert (firing.funnel, firing.step, firing.step_name) == ("checkout", 4, "payment")
    assert firing.fingerprint == fingerprint("funnel_step_conversion", "shop", "checkout", 4)
    assert firing.observed == pytest.approx(0.3)
    assert firing.baseline == pytest.approx(0.8, abs=0.01)
    assert firing.statistic >= firing.threshold == CONVERSION.parameters.h
    assert firing.summary == f"Checkout: payment converts 30 % (usual 80 %) since 01:00 UTC, {firing.n} attempts"
    assert firing.query == (
        "SELECT * FROM v_funnel(funnel='checkout', from='2026-11-23 01:00:00', "
        f"to='{firing.updated_at + timedelta(minutes=1):%Y-%m-%d %H:%M:%S}') WHERE site = 'shop'"
    )
    assert f"{round(firing.n * 0.3)} of {firing.n} attempts passed step 4 (payment)" in firing.description

    changes = changed(feed(state, range(90, 200), 10, 8))
    assert [(alert.status, alert.seq) for alert in changes] == [("firing", 1), ("resolved", 2)]
    resolved = changes[1]
    assert resolved.ends_at == START + timedelta(minutes=90)
    assert (resolved.fingerprint, resolved.starts_at) == (firing.fingerprint, firing.starts_at)
    assert {alert.fired_at for alert in changes} == {firing.fired_at}
    assert (
        resolved.summary == f"Checkout: payment converts 80 % again (usual 80 %) since 01:30 UTC, {resolved.n} attempts"
    )


def test_while_it_fires_it_is_said_again_every_hour_with_the_figures_of_now() -> None:
    state = warmed()
    said = feed(state, range(60, 60 + 4 * 60), 10, 3)
    assert [(alert.status, alert.seq) for alert in said] == [("firing", 1)] * 4
    first, *reminders = said
    assert [alert.updated_at - first.starts_at for alert in reminders] == [
        timedelta(hours=hour, seconds=RIPE_S) for hour in (1, 2, 3)
    ]
    for before, after in pairwise(said):
        assert (after.fingerprint, after.starts_at) == (before.fingerprint, before.starts_at)
        assert after.n > before.n
        assert f"{after.n} attempts" in after.summary
    # The clock alone says it too, once, however late it comes.
    late = advance(state, START + timedelta(hours=6, minutes=40), RULES)
    assert [(alert.status, alert.seq, alert.n) for alert in late] == [("firing", 1, 2400)]
    assert advance(state, START + timedelta(hours=6, minutes=41), RULES) == []


def test_a_second_fall_is_the_same_alert_with_the_next_numbers() -> None:
    state = warmed()
    story = ((60, 90, 3), (90, 200, 8), (200, 230, 3), (230, 340, 8))
    changes = [alert for start, end, passed in story for alert in feed(state, range(start, end), 10, passed)]
    assert [alert.seq for alert in changed(changes)] == [1, 2, 3, 4]
    assert len({alert.fingerprint for alert in changes}) == 1


def test_errors_rise() -> None:
    state = SiteAlerts("shop")
    quiet = [snapshot(minute, 0, 0, sessions=(20, 1)) for minute in range(60)]
    loud = [snapshot(minute, 0, 0, sessions=(20, 6)) for minute in range(60, 80)]
    changes = [alert for metrics in quiet + loud for alert in observe(state, metrics, RULES)]
    assert [alert.status for alert in changes] == ["firing"]
    alert = changes[0]
    assert (alert.rule, alert.severity, alert.funnel, alert.step) == ("session_error_rate", "warning", "", 0)
    assert alert.summary == f"shop: 30 % of sessions run into an error (usual 5 %) since 01:00 UTC, {alert.n} sessions"
    assert "v_error_rate WHERE site = 'shop'" in alert.query


def test_a_rise_of_conversion_and_a_fall_of_errors_are_no_alerts() -> None:
    state = warmed()
    changes = [
        alert
        for minute in range(60, 200)
        for alert in observe(state, snapshot(minute, 10, 10, sessions=(20, 0)), RULES)
    ]
    assert changes == []


def test_nothing_fires_before_the_baseline_is_warm_nor_on_few_trials() -> None:
    cold = SiteAlerts("shop")
    assert feed(cold, range(29), 10, 8) + feed(cold, range(29, 35), 1, 0) == []
    nearly_perfect = SiteAlerts("shop")
    feed(nearly_perfect, range(60), 10, 10)
    assert feed(nearly_perfect, range(60, 63), 6, 0) == []  # 18 attempts, all failed: evidence enough, but too few
    assert [alert.n for alert in feed(nearly_perfect, range(63, 64), 6, 0)] == [24]


def test_a_minute_waits_for_every_partition_that_reported_it() -> None:
    state = SiteAlerts("shop")
    observe(state, snapshot(0, 5, 5, partition=1, seen_after_s=30), RULES)
    observe(state, snapshot(0, 5, 5, partition=0), RULES)
    assert state.judged == 0
    observe(state, snapshot(0, 6, 5, partition=1, seen_after_s=RIPE_S, version=2), RULES)
    assert state.judged == START.timestamp() // 60
    watch = state.watches[fingerprint("funnel_step_conversion", "shop", "checkout", 4)]
    assert (watch.baseline.trials, watch.baseline.successes) == (11, 10)


def test_a_laggard_holds_a_minute_for_a_minute_at_most() -> None:
    state = SiteAlerts("shop")
    observe(state, snapshot(0, 5, 5, partition=1, seen_after_s=30), RULES)
    advance(state, START + timedelta(minutes=1, seconds=RIPE_S + 69), RULES)
    assert state.pending
    advance(state, START + timedelta(minutes=1, seconds=RIPE_S + 70), RULES)
    assert not state.pending


def told_at(metrics: MinuteMetrics, seconds: float) -> MinuteMetrics:
    """The snapshot of a partition that has come `seconds` beyond START + one hour."""
    return msgspec.structs.replace(metrics, frontier=START + timedelta(hours=1, seconds=seconds), version=int(seconds))


def test_a_backlog_is_learned_from_all_partitions_however_they_take_turns() -> None:
    """An import of the last hour: each partition tells all its minutes at once, one partition after the other."""
    state = SiteAlerts("shop")
    for partition in range(8):
        for minute in range(50):
            observe(state, told_at(snapshot(minute, 10, 8, partition=partition), 1 + partition * 7), RULES)
    advance(state, START + timedelta(hours=1, seconds=1 + 7 * 7 + 9), RULES)
    assert state.watches == {}
    advance(state, START + timedelta(hours=1, seconds=1 + 7 * 7 + 10), RULES)
    assert not state.pending
    watch = state.watches[fingerprint("funnel_step_conversion", "shop", "checkout", 4)]
    assert (watch.baseline.trials, watch.baseline.successes) == (
        pytest.approx(4000, rel=0.05),
        pytest.approx(3200, rel=0.05),
    )


def test_a_backlogs_minutes_wait_for_a_partition_that_is_known_to_be_behind() -> None:
    """An import read by two workers: one has read all of it before the other, which was away, has told anything."""
    state = SiteAlerts("shop")
    hear(state, {0: to_ms(START + timedelta(hours=1)), 1: to_ms(START + timedelta(minutes=50))})
    for minute in range(40):
        observe(state, told_at(snapshot(minute, 10, 8), 1), RULES)
    advance(state, START + timedelta(minutes=51), RULES)
    observe(state, told_at(snapshot(61, 0, 0), 40), RULES)
    assert len(state.pending) == 41
    for minute in range(40):
        observe(state, told_at(snapshot(minute, 10, 8, partition=1), 12), RULES)
    advance(state, START + timedelta(hours=1, seconds=49), RULES)
    assert len(state.pending) == 41
    advance(state, START + timedelta(hours=1, seconds=50), RULES)
    assert len(state.pending) == 1
    watch = state.watches[fingerprint("funnel_step_conversion", "shop", "checkout", 4)]
    assert watch.baseline.trials == pytest.approx(800, rel=0.05)


def test_a_partition_that_stays_behind_holds_a_backlogs_minutes_for_a_minute_at_most() -> None:
    state = SiteAlerts("shop")
    hear(state, {1: to_ms(START)})
    observe(state, told_at(snapshot(0, 10, 8), 1), RULES)
    observe(state, told_at(snapshot(61, 0, 0), 70), RULES)
    assert len(state.pending) == 2
    observe(state, told_at(snapshot(61, 0, 0), 71), RULES)
    assert len(state.pending) == 1


def test_history_told_to_a_site_that_runs_teaches_the_usual_level_and_holds_up_nothing() -> None:
    state = SiteAlerts("shop")
    for minute in range(56, 60):
        observe(state, snapshot(minute, 2, 2), RULES)
    judged = state.judged
    assert judged
    for minute in range(50):
        observe(state, told_at(snapshot(minute, 10, 8), 400), RULES)
    assert state.judged == judged
    changes = [alert for minute in range(66, 90) for alert in observe(state, snapshot(minute, 10, 3), RULES)]
    assert [alert.status for alert in changes] == ["firing"]
    assert changes[0].baseline == pytest.approx(0.8, abs=0.05)
    learned = state.watches[fingerprint("funnel_step_conversion", "shop", "checkout", 4)].baseline.trials
    for minute in range(50):
        observe(state, told_at(snapshot(minute, 10, 0), 410), RULES)
    assert state.watches[fingerprint("funnel_step_conversion", "shop", "checkout", 4)].baseline.trials == learned


def test_a_backlog_that_never_ends_is_judged_after_a_minute_and_repeats_hold_nothing() -> None:
    changing, repeating = SiteAlerts("shop"), SiteAlerts("shop")
    for second in range(70):
        observe(changing, told_at(snapshot(0, 5 + second, 5), 1 + second), RULES)
        observe(repeating, told_at(snapshot(0, 5, 5), 1 + second), RULES)
        assert bool(changing.pending)
        assert bool(repeating.pending) == (second < 10)
    observe(changing, told_at(snapshot(0, 99, 5), 71), RULES)
    assert not changing.pending


def test_what_comes_for_a_judged_minute_is_ignored() -> None:
    state = warmed()
    before = state.dump()
    assert feed(state, range(60), 10, 0) == []
    assert state.dump() == before


def test_history_raises_nothing_and_leaves_the_baseline_alone() -> None:
    state = warmed()
    before = state.dump()
    for minute in range(600):
        old = snapshot(minute - 100_000, 10, 0)
        now = START + timedelta(minutes=60, seconds=RIPE_S + 10)
        assert observe(state, msgspec.structs.replace(old, frontier=now), RULES) == []
    assert state.dump() == before


def test_a_minute_far_ahead_is_not_kept() -> None:
    state = warmed()
    ahead = msgspec.structs.replace(snapshot(60 * 20, 10, 0), frontier=START + timedelta(hours=1))
    assert observe(state, ahead, RULES) == []
    assert state.pending == {}


def test_silence_resolves() -> None:
    state = warmed()
    feed(state, range(60, 90), 10, 3)
    advance(state, START + timedelta(hours=4, minutes=30), RULES)
    changes = advance(state, START + timedelta(hours=10), RULES)
    assert [(alert.status, alert.seq) for alert in changes] == [("resolved", 2)]
    assert changes[0].ends_at == START + timedelta(minutes=90)
    assert changes[0].updated_at == START + timedelta(hours=4, minutes=30, seconds=RIPE_S)
    assert changes[0].summary == "Checkout: payment: no attempts since 01:30 UTC, nothing left to judge"
    assert advance(state, START + timedelta(hours=11), RULES) == []


def test_a_level_that_stays_is_the_new_usual_one() -> None:
    state = warmed()
    changes = changed(feed(state, range(60, 60 + 26 * 60), 10, 3))
    assert [alert.status for alert in changes] == ["firing", "resolved"]
    assert "taken as the new usual level" in changes[1].summary
    (watch,) = state.watches.values()
    assert watch.baseline.level == pytest.approx(0.3, abs=0.01)


def test_a_changed_or_removed_rule_resolves_its_alert() -> None:
    newer = msgspec.structs.replace(CONVERSION, version=CONVERSION.version + 1)
    for rules in ((ERRORS,), (newer, ERRORS)):
        state = warmed()
        feed(state, range(60, 90), 10, 3)
        changes = observe(state, snapshot(90, 10, 3), rules)
        assert [(alert.status, alert.seq) for alert in changes] == [("resolved", 2)]
        assert "changed or removed" in changes[0].summary
        assert [alert for m in range(91, 120) for alert in observe(state, snapshot(m, 10, 3), rules)] == []


def test_another_sites_snapshot_is_refused() -> None:
    with pytest.raises(ValueError, match="key them by site"):
        observe(SiteAlerts("other"), snapshot(0, 1, 1), RULES)


def test_quotes_in_names_do_not_leave_the_query() -> None:
    state = SiteAlerts("o'shop\\")
    changes: list[AlertRow] = []
    for minute in range(90):
        metrics = snapshot(minute, 10, 8 if minute < 60 else 3)
        metrics.site = state.site
        changes += observe(state, metrics, RULES)
    assert changes[0].query.endswith("WHERE site = 'o\\'shop\\\\'")


def test_more_passed_than_entered_counts_as_all() -> None:
    state = SiteAlerts("shop")
    feed(state, range(1), 3, 9)
    (watch,) = state.watches.values()
    assert (watch.baseline.trials, watch.baseline.successes) == (3, 3)


def test_three_quiet_weeks_and_ten_falls() -> None:
    run = Run(CONVERSION, 2.0, random.Random(20261123))
    run.go(3 * MINUTES_PER_WEEK, lambda _: 0.70)
    assert len(run.alerts) <= 2  # one false alert, fired and resolved: the published rate is one in ten weeks
    delays = []
    for seed in range(10):
        run = Run(CONVERSION, 2.0, random.Random(seed))
        run.go(24 * 60, lambda _: 0.70)
        run.alerts.clear()
        onset = run.minute
        found = changed(run.go(12 * 60, lambda _: 0.45))
        assert [alert.status for alert in found] == ["firing"]
        delays.append(minute_of(found[0]) - onset)
    assert 20 <= sorted(delays)[5] <= 60  # 37 minutes by the reference table
