"""The file of the truth, written while the traffic is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from snag.simulator.block import Block, Plan
from snag.simulator.truth import Truth, encode_line


@contextmanager
def truth_file(path: Path | None, plan: Plan, cut_ms: int | None) -> Iterator[Callable[[Block], None] | None]:
    """What to call with each block so that its truth lands in the file `path`; None without one. Raises OSError."""
    if path is None:
        yield None
        return
    truth = Truth(plan, cut_ms)
    with path.open("wb") as file:
        file.write(encode_line(truth.run()))
        yield lambda block: file.writelines(map(encode_line, truth.sessions(block)))
        file.writelines(map(encode_line, truth.totals()))
