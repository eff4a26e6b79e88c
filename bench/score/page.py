"""docs/score.md: the scenarios and how right the stack is about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.score.scenario import Scenario
from snag.simulator.score.compare import Recognised, Score
from snag.simulator.score.table import (
    COUNTED,
    INCIDENTS,
    RECOGNISED,
    counted_rows,
    incident_rows,
    markdown,
    recognised_row,
)

PAGE: Final = Path(__file__).parents[2] / "docs" / "score.md"

_HEAD: Final = """\
# How right it is

Written by `make score`: simulated shops ([simulator.md](simulator.md)) with planted incidents go through a stack of
their own, and what it says is compared with the truth. The scenarios are in `bench/score/scenarios/`; a run of your own
is compared by `snag simulate --truth` and `snag score`. Figures do
not hang on the machine's speed: no step of time begins before all partitions have told the one before.

The traffic lies in Kafka with its own times, as if received when it happened, and the live workers are told the time by
ticks of the same run (`live.clock = "topic"`). So a day passes within a minute, and alerts are judged as they
would have been. Through the collector, history arrives now: it makes the same rows, and no alert is raised about it.

"""

_NOTES: Final = """\

- An alert belongs to an incident when what it tells of began while that lasted, or up to two hours later. Precision
  is of incidents detected against those and the false alerts; recall is of incidents.
- Signals are compared by session with what was planted. Chance adds some, and they are real: browsing in circles
  between four category pages is a `page_loop`, an address form left with an error in it a `form_abandonment`.
- For an alert, an attempt must have passed its step within the funnel's `stall_after_s`; detection waits for that.
"""


def page(scenarios: Sequence[Scenario], scores: Sequence[Score]) -> str:
    """The text of docs/score.md."""
    parts = [_HEAD, "## Incidents\n\n"]
    rows = [(score.site, *row) for score in scores for row in incident_rows(score)]
    parts.append(markdown(("scenario", *INCIDENTS), rows))
    false = [f"{score.site}: {alert}" for score in scores for alert in score.false_alerts]
    parts.append(f"\nFalse alerts: {len(false)}.\n" + "".join(f"- {alert}\n" for alert in false))
    parts.append("\n## All scenarios together\n\n" + markdown(RECOGNISED, _together(scores)))
    parts.append("\n## Counts by scenario\n\n")
    counted = [(score.site, *row) for score in scores for row in counted_rows(score)]
    parts.append(markdown(("scenario", *COUNTED), counted))
    parts.append("\n## Scenarios\n\n")
    parts += [
        f"- **{one.name}**: {one.run.about} {one.run.visitors:,} visitors in {one.run.hours} hours.\n"
        for one in scenarios
    ]
    return "".join([*parts, _NOTES])


def _together(scores: Sequence[Score]) -> list[tuple[str, ...]]:
    names = sorted({name for score in scores for name in score.signals})
    rows = [
        ("sessions", [score.sessions for score in scores]),
        ("checkout attempts", [score.attempts for score in scores]),
        ("attempts that convert", [score.conversions for score in scores]),
        ("incidents, by alerts", [score.alerts for score in scores]),
        *((f"signal `{name}`", [s.signals[name] for s in scores if name in s.signals]) for name in names),
    ]
    return [recognised_row(name, _sum(found)) for name, found in rows]


def _sum(found: Sequence[Recognised]) -> Recognised:
    return Recognised(
        told=sum(one.told for one in found), found=sum(one.found for one in found), both=sum(one.both for one in found)
    )
