"""Alert rules are data: the two that come with Snag load, and a bad one is refused by name, cause and fix."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from schemas.alert_rule import AlertRuleError, load_alert_rules, parse_alert_rule

TEXT = (Path(str(files("schemas"))) / "alert_rules" / "funnel_step_conversion.toml").read_text()


def test_the_builtin_rules() -> None:
    rules = {rule.id: rule for rule in load_alert_rules()}
    assert list(rules) == ["funnel_step_conversion", "session_error_rate"]
    assert (rules["funnel_step_conversion"].direction, rules["session_error_rate"].direction) == ("down", "up")
    assert all(rule.expected_false_alerts_per_week <= 0.1 for rule in rules.values())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 2", "version = 0", "$.version"),
        ("shift = 0.15", "shift = 1.5", "$.parameters.shift"),
        ("shift = 0.15", "shfit = 0.15", "shfit"),
        ('test = "bernoulli_cusum"', 'test = "gut_feeling"', "$.test"),
        ('severity = "critical"', "", "severity"),
        ('id = "funnel_step_conversion"', 'id = "Funnel Step"', "$.id"),
        ('id = "funnel_step_conversion"', "id = ", "line"),
    ],
)
def test_a_bad_rule_is_refused_with_file_and_field(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(AlertRuleError) as caught:
        parse_alert_rule(TEXT.replace(old, new, 1), "mine.toml")
    message = str(caught.value)
    assert "mine.toml" in message
    assert said in message
    assert "Compare it with" in message


def test_own_rules_replace_builtin_ones(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(TEXT.replace("h = 10.5", "h = 12.0"))
    (tmp_path / "b.toml").write_text(TEXT.replace('id = "funnel_step_conversion"', 'id = "mine"'))
    rules = {rule.id: rule.parameters.h for rule in load_alert_rules(tmp_path)}
    assert rules == {"funnel_step_conversion": 12.0, "mine": 10.5, "session_error_rate": 10.0}


def test_an_id_twice_and_an_unreadable_file(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(TEXT)
    with pytest.raises(AlertRuleError, match="defined twice"):
        load_alert_rules(tmp_path)
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(AlertRuleError, match=r"a\.toml"):
        load_alert_rules(tmp_path)
