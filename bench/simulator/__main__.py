"""`python -m bench.simulator`: events/s of the simulator into a file, on one core, with incidents, truth and all.

The peer is the least that any generator does: the same lines, made before, joined and written to the same file.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from snag.simulator.block import Plan
from snag.simulator.incidents import NOTHING, Script, parse_script
from snag.simulator.stream import arrivals
from snag.simulator.truth_file import truth_file

START_MS = 1_795_000_000_000
INCIDENTS = """
[[incident]]
id = "declines"
kind = "payment_decline"
start = "+1d"
end = "+2d"
conversion = 0.43

[[confounder]]
id = "long"
kind = "long_browsing"
share = 0.1
intent = 0.6
"""


def run(visitors: int, directory: Path, script: Script = NOTHING, *, truth: bool = False) -> tuple[int, float]:
    """Events and seconds of a week of `visitors` written to a file."""
    plan = Plan(7, START_MS, visitors, visitors / (7 * 86_400), swings=True, script=script)
    events, begun = 0, time.perf_counter()
    path = directory / "truth" if truth else None
    with truth_file(path, plan, None) as on_block, (directory / "out").open("wb") as file:
        for arrived in arrivals(plan, on_block=on_block):
            file.write(b"\n".join(arrived.lines) + b"\n")
            events += len(arrived.lines)
    return events, time.perf_counter() - begun


def floor(directory: Path) -> tuple[int, float]:
    """Events and seconds of writing the same lines once more."""
    lines = (directory / "out").read_bytes().splitlines()
    begun = time.perf_counter()
    with (directory / "again").open("wb") as file:
        for at in range(0, len(lines), 50_000):
            file.write(b"\n".join(lines[at : at + 50_000]) + b"\n")
    return len(lines), time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulator")
    parser.add_argument("--visitors", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        script = parse_script(INCIDENTS, "bench")
        for title, (events, seconds) in (
            ("a week of traffic", run(given.visitors, directory)),
            ("with incidents and truth", run(given.visitors, directory, script, truth=True)),
            ("only writing the lines", floor(directory)),
        ):
            print(f"{title:26} {events:9,} events  {events / seconds:11,.0f} events/s")


if __name__ == "__main__":
    main()
