"""False alerts a week, delay and flapping of the alert rules that come with Snag, measured on a known truth.

    python -m bench.alerts [--weeks 100] [--drops 100]

The peer is the reference simulation of the tests themselves (level known, no baseline, judged trial by trial).
"""

from __future__ import annotations

import argparse
import math
import random
from statistics import median

from bench.alerts.simulation import MINUTES_PER_WEEK, Run, changed, minute_of, poisson
from processors.domain.alerts import cusum
from schemas.alert_rule import AlertRule, load_alert_rules

_DAY = 24 * 60
_TRUTH = {"funnel_step_conversion": (0.70, 0.45), "session_error_rate": (0.05, 0.20)}
_VOLUMES = (0.5, 2.0, 10.0)


def warm(rule: AlertRule, volume: float, seed: int, usual: float) -> Run:
    """A site that has been watched for three days."""
    run = Run(rule, volume, random.Random(f"{rule.id}{volume}{seed}"))
    run.go(3 * _DAY, lambda _: usual)
    return run


def null(rule: AlertRule, volume: float, weeks: int, usual: float) -> tuple[float, float]:
    """False alerts a week over `weeks` at the usual level, and with the level swinging by 0.06 over the day."""
    flat, swinging = warm(rule, volume, 1, usual), warm(rule, volume, 2, usual)
    counts = []
    swing = min(0.06, usual / 2)
    for run, amplitude in ((flat, 0.0), (swinging, swing)):
        found = run.go(
            weeks * MINUTES_PER_WEEK,
            lambda minute, a=amplitude: usual + a * math.sin(2 * math.pi * minute / _DAY),  # type: ignore[misc]
        )
        counts.append(sum(alert.status == "firing" for alert in changed(found)) / weeks)
    return counts[0], counts[1]


def drop(rule: AlertRule, volume: float, drops: int, usual: float, bad: float) -> tuple[float, float, float, float]:
    """Median delay of firing, share missed in 12 h, median delay of resolving, alerts too many, over `drops` drops."""
    fired, mended, missed, extra = [], [], 0, 0
    for seed in range(drops):
        run = warm(rule, volume, 100 + seed, usual)
        run.go(30, lambda _: usual)
        if run.alerts and run.alerts[-1].status == "firing":
            continue
        onset = run.minute
        found = run.go(12 * 60, lambda _: bad)
        firing = [alert for alert in changed(found) if alert.status == "firing"]
        if not firing:
            missed += 1
            continue
        fired.append(minute_of(firing[0]) - onset + 1)
        extra += len(firing) - 1
        if run.alerts[-1].status == "firing":
            back = run.minute
            resolved = [alert for alert in run.go(2 * _DAY, lambda _: usual) if alert.status == "resolved"]
            mended.append(minute_of(resolved[0]) - back + 1 if resolved else math.inf)
    return median(fired), missed / drops, median(mended), extra


def reference(rule: AlertRule, volume: float, weeks: int, drops: int) -> tuple[float, float]:
    """The bare test, level known, trial by trial: false alerts a week, median delay."""
    usual, bad = _TRUTH[rule.id]
    parameters, draw = rule.parameters, random.Random(f"reference{rule.id}{volume}")

    def minute(value: float, p: float) -> float:
        for _ in range(poisson(draw, volume)):
            step = cusum.evidence(1, int(draw.random() < p), usual, parameters.shift, rule.direction)
            value = cusum.advance(value, step)
            if value >= parameters.h:
                return math.inf
        return value

    value, alarms = 0.0, 0
    for _ in range(weeks * MINUTES_PER_WEEK):
        value = minute(value, usual)
        if math.isinf(value):
            value, alarms = 0.0, alarms + 1
    delays = []
    for _ in range(drops):
        value, waited = 0.0, 0
        while not math.isinf(value):
            value, waited = minute(value, bad), waited + 1
        delays.append(waited)
    return alarms / weeks, median(delays)


def midway(rule: AlertRule, volume: float, weeks: int, usual: float) -> float:
    """Alerts a week when every day the level lies half a shift off for 12 hours: the hardest case for flapping."""
    run = warm(rule, volume, 3, usual)
    half = rule.parameters.shift / 2 * (1 if rule.direction == "up" else -1)
    found = run.go(weeks * MINUTES_PER_WEEK, lambda minute: usual + half * (minute % _DAY < _DAY / 2))
    return sum(alert.status == "firing" for alert in changed(found)) / weeks


def main() -> None:
    """Print the table, a line per rule and volume."""
    parser = argparse.ArgumentParser(prog="python -m bench.alerts")
    parser.add_argument("--weeks", type=int, default=100, help="weeks without a change, per line")
    parser.add_argument("--drops", type=int, default=100, help="changes of level, per line")
    given = parser.parse_args()
    print("rule                     per min | false/week (bare test)  daily swing  half a shift | ", end="")
    print("fires after (bare test)  missed  twice | resolves after")
    for rule in load_alert_rules():
        usual, bad = _TRUTH[rule.id]
        for volume in _VOLUMES:
            false, swung = null(rule, volume, given.weeks, usual)
            delay, missed, mended, twice = drop(rule, volume, given.drops, usual, bad)
            bare_false, bare_delay = reference(rule, volume, given.weeks, given.drops)
            half = midway(rule, volume, max(given.weeks // 10, 1), usual)
            print(
                f"{rule.id:24} {volume:7.1f} | {false:10.2f} ({bare_false:9.2f})  {swung:11.2f}  {half:12.2f} | "
                f"{delay:7.0f} min ({bare_delay:5.0f} min)  {missed:6.0%}  {twice:5.0f} | {mended:10.0f} min",
                flush=True,
            )


if __name__ == "__main__":
    main()
