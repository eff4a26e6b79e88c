"""A scenario: an incidents file with a `[run]` table that says how much traffic there is."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec

from snag.simulator.block import Plan
from snag.simulator.calibration import SHOP
from snag.simulator.incidents import Script, parse_script


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much: `visitors` come in `hours`; `pages`: median of catalog pages, few so that a day is soon told."""

    about: str
    seed: int
    hours: Annotated[int, msgspec.Meta(ge=1)]
    visitors: Annotated[int, msgspec.Meta(ge=1)]
    pages: float


class Scenario(msgspec.Struct, frozen=True):
    """One site's traffic; the site bears the scenario's name."""

    name: str
    run: Run
    script: Script

    def plan(self, start_ms: int) -> Plan:
        """The plan of a run that starts at `start_ms` (Unix ms)."""
        run = self.run
        return Plan(
            seed=run.seed,
            start_ms=start_ms,
            visitors=None,
            visitors_per_s=run.visitors / (run.hours * 3600),
            shop=replace(SHOP, pages_median=run.pages),
            swings=True,
            until_ms=start_ms + run.hours * 3_600_000,
            script=self.script,
            site=self.name,
        )


def load_scenarios(directory: Path) -> list[Scenario]:
    """All scenarios of `directory`, by name. Raises IncidentsError and msgspec.ValidationError."""
    found = []
    for path in sorted(directory.glob("*.toml")):
        text = path.read_text()
        run = msgspec.convert(tomllib.loads(text)["run"], Run)
        _, _, rest = text.partition("\n\n")
        found.append(Scenario(path.stem, run, parse_script(rest, path.name)))
    return found
