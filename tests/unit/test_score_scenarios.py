"""The published scenarios: readable, each with a name and incidents of its own, and a page that shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bench.score.__main__ import SCENARIOS
from bench.score.page import PAGE, page
from bench.score.scenario import Scenario, load_scenarios
from schemas.truth import TruthRun
from snag.simulator.incidents import IncidentsError, moment_of
from snag.simulator.score.compare import compare
from snag.simulator.score.found import Found
from snag.simulator.score.told import Told


@pytest.fixture(scope="module")
def scenarios() -> list[Scenario]:
    return load_scenarios(SCENARIOS)


def test_every_incident_ends_within_its_run_and_begins_when_levels_are_known(scenarios: list[Scenario]) -> None:
    assert len({scenario.run.seed for scenario in scenarios}) == len(scenarios) >= 5
    for scenario in scenarios:
        for incident in scenario.script.incident:
            assert moment_of("+12h", 0) <= moment_of(incident.start, 0)
            assert moment_of(incident.end, 0) < scenario.run.hours * 3_600_000


def test_a_scenario_with_a_mistake_names_its_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("scenarios")
    text = (SCENARIOS / "2_declines.toml").read_text()
    (directory / "odd.toml").write_text(text.replace("payment_decline", "earthquake"))
    with pytest.raises(IncidentsError, match=r"odd\.toml.*earthquake"):
        load_scenarios(directory)


def test_the_page_shows_each_scenario_and_the_committed_one_knows_them_all(scenarios: list[Scenario]) -> None:
    nothing = Found(orders={}, signals={}, attempts=[], alerts=[])
    scores = [
        compare(Told(TruthRun(seed=1, site=scenario.name, starts_at=datetime(2026, 11, 2, tzinfo=UTC))), nothing)
        for scenario in scenarios
    ]
    shown = page(scenarios, scores)
    committed = PAGE.read_text()
    for scenario in scenarios:
        assert f"- **{scenario.name}**: {scenario.run.about}" in shown
        assert f"- **{scenario.name}**: {scenario.run.about}" in committed, "docs/score.md is stale: run `make score`"
        assert all(f"| {incident.id} | {incident.kind} |" in committed for incident in scenario.script.incident)
