"""`python -m bench.score`: the scenarios through a stack of their own, and what it made of them, against the truth.

Prints the tables and, with --write, puts them into docs/score.md. Figures are of what was recognised, not of speed.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.score import clockwork
from bench.score.page import PAGE, page
from bench.score.scenario import Scenario, load_scenarios
from schemas.event import to_ms
from snag.clickhouse import ClickHouse
from snag.simulator.score.compare import Score, compare
from snag.simulator.score.found import ask
from snag.simulator.score.table import print_score
from snag.simulator.score.told import read_truth
from snag.simulator.truth_file import truth_file
from tests.support.running import running_stack

SCENARIOS: Final = Path(__file__).with_name("scenarios")
START: Final = datetime(2026, 11, 2, tzinfo=UTC)  # a Monday
PARTITIONS: Final = 2
SETTLED_DEADLINE_S: Final = 180.0
STACK: Final = {
    "SNAG_LIVE__CLOCK": "topic",
    "SNAG_KAFKA__PARTITIONS": str(PARTITIONS),
    "SNAG_LIVE__CHECKPOINT_INTERVAL_S": "14400",  # of simulated time
    "SNAG_LIVE__EMIT_INTERVAL_S": "300",
}
_COUNTS: Final = """
SELECT
  (SELECT count() FROM clickstream FINAL), (SELECT count() FROM checkouts FINAL), (SELECT count() FROM errors FINAL),
  (SELECT (count(), sum(version)) FROM sessions FINAL), (SELECT (count(), sum(version)) FROM funnel_attempts FINAL),
  (SELECT (count(), sum(version)) FROM friction_signals FINAL), (SELECT count() FROM alerts FINAL)
"""


def run(scenarios: list[Scenario], directory: Path, console: Console) -> list[Score]:
    """Play `scenarios` side by side, each as a site, and score them."""
    start_ms = to_ms(START)
    with running_stack(directory / "stack", **STACK) as stack, contextlib.ExitStack() as files:
        status = stack.status()
        feeds = []
        for scenario in scenarios:
            plan = scenario.plan(start_ms)
            on_block = files.enter_context(truth_file(directory / scenario.name, plan, None))
            feeds.append(clockwork.Feed(plan, status["kafka"], on_block))
        worker = clockwork.Worker(stack.part("live")["endpoint"])
        begun = time.monotonic()
        for at_ms, sent in clockwork.play(feeds, worker, start_ms):
            hours = (at_ms - start_ms) / 3_600_000
            if hours == int(hours):
                console.print(f"{hours:4.0f} h  {sent:9,} events  {time.monotonic() - begun:5.0f} s", highlight=False)
        files.close()
        engine = ClickHouse(status["clickhouse"], database="snag")
        settle(engine)
        return [score(engine, directory / scenario.name) for scenario in scenarios]


def settle(engine: ClickHouse) -> None:
    """Until nothing changes any more. Raises TimeoutError."""
    deadline = time.monotonic() + SETTLED_DEADLINE_S
    before, same = None, 0
    while same < 3:
        now = engine.rows(_COUNTS)
        same = same + 1 if now == before else 0
        before = now
        if time.monotonic() > deadline:
            raise TimeoutError("the tables still change")
        time.sleep(2)


def score(engine: ClickHouse, truth: Path) -> Score:
    """What the stack made of one scenario."""
    told = read_truth(truth)
    return compare(told, ask(engine, told))


def main() -> None:
    """Play, print, and write docs/score.md if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.score")
    parser.add_argument("--write", action="store_true", help="rewrite docs/score.md")
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    given = parser.parse_args()
    console = Console()
    scenarios = [scenario for scenario in load_scenarios(SCENARIOS) if given.only in scenario.name]
    with tempfile.TemporaryDirectory() as name:
        scores = run(scenarios, Path(name), console)
    for scenario, found in zip(scenarios, scores, strict=True):
        console.rule(f"{scenario.name}: {scenario.run.about}")
        print_score(console, found)
    if given.write:
        PAGE.write_text(page(scenarios, scores))
        console.print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
