"""The table of friction rules: id, version, thresholds with their source, and the weight of each in the score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

SCORE_VERSION: Final = 1
"""Rises when a weight or cap changes; a prior stated openly, later fitted as log odds of abandoning."""

SCORE_MAX: Final = 100.0


class RuleError(ValueError):
    """A rule setting that names no rule or threshold; the text says which are known."""


class FrictionRule(msgspec.Struct, frozen=True, kw_only=True):
    """One friction rule. `weight` points per occurrence, at most `cap` occurrences count in a session's score.

    `reads`: the properties it looks at, by event type; facts keep no others.
    """

    id: str
    version: int
    thresholds: dict[str, float]
    weight: float
    cap: int
    source: str
    reads: Mapping[str, tuple[str, ...]] = {}


FRICTION_RULES: Final[dict[str, FrictionRule]] = {
    rule.id: rule
    for rule in (
        FrictionRule(
            id="rage_click",
            version=1,
            thresholds={"clicks": 3, "gap_ms": 1000, "distance_px": 30},
            weight=12,
            cap=3,
            source="PostHog rageclick.ts: 3 clicks, each < 1000 ms and < 30 px (Manhattan) from the one before",
        ),
        FrictionRule(
            id="error_click",
            version=1,
            thresholds={"delay_ms": 1000},
            weight=15,
            cap=3,
            source="Datadog error click: an error during the click's action; 1 s stands for the action here",
        ),
        FrictionRule(
            id="quick_back",
            version=1,
            thresholds={"dwell_ms": 5000},
            weight=6,
            cap=3,
            source="Clarity's quick back; its threshold is unpublished, OpenReplay users take 5 s",
        ),
    )
}
"""The weights are a stated prior, an opinion like everybody's; the parts stand beside the total to be checked."""


def rules_with(overrides: Mapping[str, Mapping[str, float]]) -> dict[str, FrictionRule]:
    """The rules with thresholds replaced by `overrides` ({rule id: {threshold: value}}). Raises RuleError."""
    rules = dict(FRICTION_RULES)
    for rule_id, thresholds in overrides.items():
        rule = rules.get(rule_id)
        if rule is None:
            raise RuleError(f"friction rule {rule_id!r} is unknown. Known rules: {', '.join(sorted(rules))}.")
        unknown = sorted(set(thresholds) - set(rule.thresholds))
        if unknown:
            known = ", ".join(sorted(rule.thresholds))
            raise RuleError(f"rule {rule_id!r} has no threshold {unknown[0]!r}. Its thresholds: {known}.")
        rules[rule_id] = msgspec.structs.replace(rule, thresholds={**rule.thresholds, **thresholds})
    return rules
