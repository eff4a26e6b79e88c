"""Alert rules as data: TOML files, read once, checked with a message that names file and field."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import msgspec

TestName = Literal["bernoulli_cusum"]
MetricName = Literal["step_conversion", "error_session_rate"]
Direction = Literal["down", "up"]
Severity = Literal["critical", "warning", "info"]

_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]


class AlertRuleError(ValueError):
    """An alert rule that cannot be used; the text names the file, the cause and the fix."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a rule's test is set to. Levels are shares (0 to 1), statistics are sums of log likelihood ratios (nats).

    `shift`: the change of level that matters. `h`: fires at this much evidence for it; `h_resolve`: resolves at this
    much evidence for the usual level. `min_trials`: fewer since the change raise nothing. `memory_h` and
    `memory_trials`: the recent level forgets over whichever is the longer. `warmup_trials`: a level of fewer raises
    nothing. `season_days`: over how many days an hour of the day remembers how far it lies from the recent level;
    `season_prior_trials`: as many trials as speak against any such offset. `remind_h`: a firing alert is said again so
    often. `silence_h`: a firing alert without a trial for so long is resolved. `accept_after_h`: a level that has stood
    for so long is the new usual one.
    """

    shift: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    h: _Positive
    h_resolve: _Positive
    min_trials: _Count
    memory_h: _Positive
    memory_trials: _Count
    warmup_trials: _Count
    season_days: _Positive
    season_prior_trials: _Positive
    remind_h: _Positive
    silence_h: _Positive
    accept_after_h: _Positive


class AlertRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One alert rule. `version` must rise when a parameter changes: state gathered under another version is dropped.

    `expected_false_alerts_per_week` is measured by `bench.alerts` for one series (a funnel step, a site's sessions)
    and is the worst of 0.5, 2 and 10 trials a minute, with a level that stands still and one that swings over the day.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]
    version: _Count
    test: TestName
    metric: MetricName
    direction: Direction
    severity: Severity
    expected_false_alerts_per_week: Annotated[float, msgspec.Meta(ge=0)]
    parameters: Parameters


def parse_alert_rule(text: str, origin: str) -> AlertRule:
    """The rule in TOML `text`; `origin` names it in errors. Raises AlertRuleError."""
    try:
        return msgspec.convert(tomllib.loads(text), AlertRule)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        example = "schemas/alert_rules/funnel_step_conversion.toml"
        raise AlertRuleError(f"alert rule {origin}: {error}. Compare it with {example}.") from error


def load_alert_rules(directory: Path | None = None) -> tuple[AlertRule, ...]:
    """Snag's own rules and those in `directory` (*.toml), which replace built-in ones of the same id; ordered by id.

    Raises AlertRuleError when one is unreadable or two in `directory` share an id.
    """
    found = {rule.id: rule for rule in _parse_all((p.name, _read(p)) for p in _builtin())}
    if directory is not None:
        own: dict[str, AlertRule] = {}
        for rule in _parse_all((str(p), _read(p)) for p in sorted(directory.glob("*.toml"))):
            if rule.id in own:
                raise AlertRuleError(f"alert rule {rule.id!r} is defined twice in {directory}. Rename one of them.")
            own[rule.id] = rule
        found |= own
    return tuple(found[id_] for id_ in sorted(found))


def _builtin() -> list[Path]:
    root = Path(str(files("schemas"))) / "alert_rules"
    return sorted(root.glob("*.toml"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AlertRuleError(f"alert rule {path}: {error}. Make it a readable UTF-8 file or remove it.") from error


def _parse_all(sources: Iterable[tuple[str, str]]) -> list[AlertRule]:
    return [parse_alert_rule(text, origin) for origin, text in sources]
