"""Stuck login: refused again and again without success in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Stuck logins among `facts`; threshold: failures. A run of refusals fires once and tells how it ended."""
    needed = max(1, int(thresholds["failures"]))
    run: list[Fact] = []
    for fact in facts:
        if fact.type == "login_failed":
            run.append(fact)
        elif fact.type == "login":
            yield from _fire(run, needed, resolved=True)
            run = []
    yield from _fire(run, needed, resolved=False)


def _fire(run: Sequence[Fact], needed: int, *, resolved: bool) -> Iterator[Signal]:
    if len(run) >= needed:
        reason = run[-1].text("reason") or run[-1].message
        evidence: dict[str, object] = {"failures": len(run), "resolved": resolved, "reason": reason}
        yield Signal("stuck_login", run[0], run[needed - 1], evidence)
