"""What holds of a site's alerts for any traffic: order, repeats and restarts change nothing; states alternate."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.domain.alerts import cusum
from processors.domain.alerts.site import SiteAlerts, load, observe
from schemas.alert_rule import AlertRule, load_alert_rules
from schemas.rows import AlertRow, MinuteMetrics, StepCount

START = datetime(2026, 11, 23, tzinfo=UTC)
RIPE_S = 120.0
PARTITIONS = 3


def eager(rule: AlertRule) -> AlertRule:
    """The rule with so little patience that a few minutes bring alerts."""
    parameters = msgspec.structs.replace(
        rule.parameters,
        h=3.0,
        h_resolve=2.0,
        min_trials=5,
        warmup_trials=20,
        silence_h=0.2,
        accept_after_h=1.0,
        remind_h=0.3,
    )
    return msgspec.structs.replace(rule, parameters=parameters)


RULES = tuple(eager(rule) for rule in load_alert_rules())

Phase = tuple[int, int, float, float]
"""(minutes, trials per minute and partition, conversion, error rate)."""

phases = st.lists(
    st.tuples(st.integers(1, 30), st.integers(0, 6), st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]), st.floats(0, 1)),
    min_size=1,
    max_size=8,
)


def stream(story: Sequence[Phase], seed: int) -> list[list[MinuteMetrics]]:
    """Snapshots by moment of arrival (a minute each): every minute's early one and its ripe one, per partition."""
    draw = random.Random(seed)
    plan = [(trials, p, e) for minutes, trials, p, e in story for _ in range(minutes)]
    lag = 3  # the ripe snapshot comes three minutes after the early one
    arrivals: list[list[MinuteMetrics]] = [[] for _ in range(len(plan) + lag)]
    for minute, (trials, p, e) in enumerate(plan):
        for partition in range(PARTITIONS):
            passed = sum(draw.random() < p for _ in range(trials))
            errors = sum(draw.random() < e for _ in range(trials))
            for behind, (done, wrong) in ((0, (passed // 2, errors // 2)), (lag, (passed, errors))):
                arrivals[minute + behind].append(
                    MinuteMetrics(
                        site="shop",
                        source_partition=partition,
                        minute=START + timedelta(minutes=minute),
                        frontier=START + timedelta(minutes=minute + 1 + behind),
                        version=behind + 1,
                        ripe_after_s=RIPE_S,
                        steps=[
                            StepCount(funnel="checkout", step=i, name=f"s{i}", entered=trials, passed=done)
                            for i in range(2)
                        ],
                        sessions=trials,
                        error_sessions=wrong,
                    )
                )
    return arrivals


def run(snapshots: Sequence[MinuteMetrics]) -> list[AlertRow]:
    state = SiteAlerts("shop")
    return [alert for metrics in snapshots for alert in observe(state, metrics, RULES)]


def flat(arrivals: list[list[MinuteMetrics]]) -> list[MinuteMetrics]:
    return [metrics for moment in arrivals for metrics in moment]


examples = settings(max_examples=25, deadline=None)  # each is an hour or more of a site; time is not judged

# A known story, so that the properties below are never only about silence.
FALL: list[Phase] = [(20, 4, 0.8, 0.1), (15, 4, 0.0, 0.9), (30, 4, 0.8, 0.1), (15, 4, 0.2, 0.9), (30, 4, 0.8, 0.0)]


def test_the_known_story_has_alerts_of_both_rules() -> None:
    changes = run(flat(stream(FALL, 1)))
    assert {(alert.rule, alert.status) for alert in changes} == {
        (rule.id, status) for rule in RULES for status in ("firing", "resolved")
    }


@examples
@given(phases, st.integers(0, 999))
def test_states_alternate_and_seq_rises_by_one(story: list[Phase], seed: int) -> None:
    changes = run(flat(stream(FALL + story, seed)))
    for fingerprint in {alert.fingerprint for alert in changes}:
        said = [alert for alert in changes if alert.fingerprint == fingerprint]
        assert [alert.updated_at for alert in said] == sorted({alert.updated_at for alert in said})
        own = [next(group) for _, group in groupby(said, key=lambda alert: alert.seq)]
        assert [alert.seq for alert in own] == list(range(1, len(own) + 1))
        assert [alert.status for alert in own] == [("firing", "resolved")[i % 2] for i in range(len(own))]
        for before, after in pairwise(own):
            assert before.updated_at < after.updated_at
        for alert in own:
            assert (alert.ends_at is None) == (alert.status == "firing")
            assert alert.starts_at < alert.updated_at
            assert alert.ends_at is None or alert.starts_at < alert.ends_at <= alert.updated_at
            assert 0 <= alert.observed <= 1
            assert 0 < alert.baseline < 1


@examples
@given(phases, st.integers(0, 999))
def test_an_alert_and_its_recovery_rest_on_enough_trials_of_their_own(story: list[Phase], seed: int) -> None:
    """No flapping: each change takes its whole threshold in evidence, so at least this many trials."""
    by_id = {rule.id: rule for rule in RULES}
    told_seqs: dict[str, set[int]] = {}
    for alert in run(flat(stream(FALL + story, seed))):
        rule = by_id[alert.rule]
        recovered = alert.status == "resolved" and "again" in alert.summary
        reminded = alert.seq in told_seqs.setdefault(alert.fingerprint, set())
        told_seqs[alert.fingerprint].add(alert.seq)
        if not reminded and (alert.status == "firing" or recovered):
            shift = rule.parameters.shift / (2 if recovered else 1)
            most = max(abs(cusum.evidence(1, k, alert.baseline, shift, rule.direction)) for k in (0, 1))
            assert alert.n >= max(rule.parameters.min_trials, alert.threshold / most - 1e-6)
            assert alert.statistic >= alert.threshold


@examples
@given(phases, st.integers(0, 999), st.integers(0, 999))
def test_the_order_of_partitions_changes_nothing(story: list[Phase], seed: int, shuffle_seed: int) -> None:
    shuffler = random.Random(shuffle_seed)
    arrivals = stream(FALL + story, seed)
    expected = run(flat(arrivals))
    for moment in arrivals:
        shuffler.shuffle(moment)
    assert run(flat(arrivals)) == expected


@examples
@given(phases, st.integers(0, 999), st.integers(0, 999))
def test_repeats_change_nothing(story: list[Phase], seed: int, repeat_seed: int) -> None:
    draw = random.Random(repeat_seed)
    snapshots = flat(stream(FALL + story, seed))
    repeated: list[MinuteMetrics] = []
    for metrics in snapshots:
        repeated.append(metrics)
        repeated += draw.choices(repeated, k=draw.randrange(3))
    assert run(repeated) == run(snapshots)


@examples
@given(phases, st.integers(0, 999), st.integers(1, 40))
def test_saving_and_restoring_at_any_point_changes_nothing(story: list[Phase], seed: int, every: int) -> None:
    snapshots = flat(stream(FALL + story, seed))
    state = SiteAlerts("shop")
    changes: list[AlertRow] = []
    for i, metrics in enumerate(snapshots):
        if i % every == 0:
            state = load(state.dump())
        changes += observe(state, metrics, RULES)
    assert changes == run(snapshots)


@examples
@given(phases, st.integers(0, 999), st.integers(-200_000, 200_000))
def test_the_state_stays_small_whatever_the_minutes(story: list[Phase], seed: int, offset: int) -> None:
    """Snapshots of any minute, frontiers that stand still: unjudged minutes are bounded by the clock."""
    state = SiteAlerts("shop")
    for i, metrics in enumerate(flat(stream(story, seed))):
        odd = msgspec.structs.replace(metrics, minute=metrics.minute + timedelta(minutes=i * offset))
        observe(state, odd, RULES)
    assert len(state.pending) <= 3 * 60 + 1
    assert len(state.watches) <= len(RULES) * 2
