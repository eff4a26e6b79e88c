"""The friction rules together: their table, their settings, what they share, and the score."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from processors.domain.friction import FINDERS, Finders, count_signals
from processors.domain.friction.row import signal_row
from processors.domain.friction.score import points, score
from schemas.event import from_ms
from schemas.event_types import EVENT_TYPES
from schemas.rows import SessionRow
from schemas.rules import FRICTION_RULES, RuleError, rules_with
from schemas.settings import load_settings
from tests import oracle
from tests.oracle.streams import Event
from tests.property.test_domain_harness import Log, Reader, end_of, records_of, rows_of
from tests.unit.friction.facts import clicks, error, find, view
from tests.unit.test_domain_fact import make_fact


def test_every_rule_in_the_table_has_its_function() -> None:
    assert FINDERS.keys() == FRICTION_RULES.keys()


def test_signals_come_by_time() -> None:
    facts = [view(0, "/a"), view(10, "/b"), *clicks(20, 30, 40), error(50), view(60, "/a")]
    assert [s.signal for s in Finders(FRICTION_RULES).find(facts)] == ["error_click", "rage_click", "quick_back"]


def test_points_are_weights_times_occurrences() -> None:
    assert points([], FRICTION_RULES) == {}
    given = points(["rage_click", "error_click", "error_click", "quick_back"], FRICTION_RULES)
    assert given == {"rage_click": 12, "error_click": 30, "quick_back": 6}


def test_each_signal_is_capped() -> None:
    assert (
        points(["quick_back"] * 50, FRICTION_RULES) == points(["quick_back"] * 3, FRICTION_RULES) == {"quick_back": 18}
    )


def test_a_score_is_the_sum_of_its_points_and_100_at_most() -> None:
    facts = [f for start in range(0, 20_000, 5_000) for f in clicks(start, start + 100, start + 200)]
    facts += [f for start in range(30_000, 60_000, 5_000) for f in (*clicks(start), error(start + 10))]
    found = score(facts, Finders(FRICTION_RULES).find(facts), FRICTION_RULES)
    assert found.points == {"rage_click": 36, "error_click": 45}
    assert found.total == 81
    facts += [make_fact(n, "login_failed") for n in (70_000, 71_000)]
    found = score(facts, Finders(FRICTION_RULES).find(facts), FRICTION_RULES)
    assert (sum(found.points.values()), found.total) == (101, 100)


def test_the_last_step_begins_with_the_last_page_view() -> None:
    facts = [view(0, "/a"), *clicks(100, 200, 300), view(9_000, "/b"), *clicks(9_100), error(9_200)]
    found = score(facts, Finders(FRICTION_RULES).find(facts), FRICTION_RULES)
    assert (found.total, found.last_step) == (27, 15)
    assert score([], [], FRICTION_RULES).total == 0
    no_views = clicks(0, 100, 200)
    found = score(no_views, Finders(FRICTION_RULES).find(no_views), FRICTION_RULES)
    assert found.last_step == found.total == 12


def test_every_property_a_rule_reads_is_in_the_table_of_event_types() -> None:
    for rule in FRICTION_RULES.values():
        assert rule.triggers <= EVENT_TYPES.keys(), rule.id
        for type_, names in rule.reads.items():
            assert set(names) <= EVENT_TYPES[type_].props.keys(), (rule.id, type_)


@pytest.mark.parametrize("rule_id", FRICTION_RULES)
def test_settings_change_thresholds_and_ignore_lists(rule_id: str) -> None:
    rule = FRICTION_RULES[rule_id]
    wanted = {name: value + 1 for name, value in rule.thresholds.items()}
    changed = rules_with({rule_id: {**wanted, "ignore": (".mine",)}})
    assert (changed[rule_id].thresholds, changed[rule_id].ignore) == (wanted, (".mine",))
    assert {name: other for name, other in changed.items() if name != rule_id} == {
        name: other for name, other in FRICTION_RULES.items() if name != rule_id
    }


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"rage": {}}, "rage_click"),
        ({"rage_click": {"click": 4}}, "gap_ms"),
        ({"rage_click": {"clicks": float("nan")}}, "clicks"),
        ({"rage_click": {"clicks": ("a",)}}, "clicks"),
        ({"rage_click": {"ignore": 1}}, "ignore"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(overrides: dict[str, Any], named: str) -> None:
    with pytest.raises(RuleError, match=named):
        rules_with(overrides)


def test_thresholds_and_ignore_lists_come_from_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("snag.toml").write_text('[live.friction.rage_click]\nclicks = 4\nignore = [".quantity"]\n')
    rule = rules_with(load_settings().live.friction)["rage_click"]
    assert (rule.thresholds["clicks"], rule.thresholds["gap_ms"], rule.ignore) == (4, 1000, (".quantity",))
    monkeypatch.setenv("SNAG_LIVE__FRICTION", '{"dead_click": {"effect_ms": 3000}}')
    assert rules_with(load_settings().live.friction)["dead_click"].thresholds["effect_ms"] == 3000


def test_an_ignored_element_is_not_looked_at() -> None:
    carousel = clicks(0, 100, 200, element="div.carousel > button.arrow")
    assert find("rage_click", *carousel) == []
    mine = rules_with({"rage_click": {"ignore": ("button.arrow", "#x")}})
    assert [s.signal for s in Finders(mine).find(carousel)] == []
    assert len(Finders(rules_with({"rage_click": {"ignore": ("a.arrow", ".arrow-left")}})).find(carousel)) == 1


def test_signals_are_counted_by_kind() -> None:
    found = Finders(FRICTION_RULES).find([*clicks(0, 100, 200), error(250)])
    assert count_signals(found) == {"error_click": 1, "rage_click": 1}


def test_a_signals_row_says_which_rule_found_it_and_what_was_measured() -> None:
    rules = rules_with({"rage_click": {"gap_ms": 900}})
    (signal,) = Finders(rules).find(clicks(0, 100, 200, element="#buy", path="/a/17", page="/a/:id"))
    session = SessionRow(site="shop", visitor_id="ann", session_id="s", started_at=from_ms(0), version=1, is_bot=True)
    row = signal_row(signal, "ann", session, msgspec.structs.replace(rules["rage_click"], version=7))
    assert (row.site, row.visitor_id, row.session_id, row.is_bot) == ("shop", "ann", "s", True)
    assert (row.signal, row.rule_version, row.ts) == ("rage_click", 7, from_ms(0))
    assert (row.path, row.page, row.element) == ("/a/17", "/a/:id", "#buy")
    thresholds = {"clicks": 3, "gap_ms": 900, "distance_px": 30}
    assert json.loads(row.evidence) == {"clicks": 3, "span_ms": 200, "thresholds": thresholds}


def click_event(at: str, event_id: str) -> Event:
    stamp = f"2025-11-23T10:00:00.{at}Z"
    event: Event = {"event_id": event_id, "site": "shop", "kind": "clickstream", "type": "click", "visitor_id": "ann"}
    return event | {"session_id": "s", "ts": stamp, "received_at": stamp, "x": 1.0, "y": 1.0, "path": "/"}


def test_a_late_click_does_not_retract_the_rage_it_belongs_to() -> None:
    events = [click_event("000", "a"), click_event("200", "b"), click_event("400", "c"), click_event("100", "d")]
    log = Log()
    reader = Reader(records_of(events, Random(0)), log)
    reader.now = end_of(events, 100)
    while reader.readable():
        reader.read("clickstream")
        reader.tick(reader.now + 3_000)
    reader.settle(end_of(events, 3_600_000))
    (shown,) = oracle.latest("friction_signals", rows_of(log, "signals"))
    assert json.loads(shown["evidence"])["clicks"] == 4
