"""Form retry: the same form sent again without success in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.form import SUCCESSES, form_of, succeeds
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Form retries among `facts`; thresholds: attempts, gap_ms. A run of attempts fires once."""
    needed = max(1, int(thresholds["attempts"]))
    runs: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.type == "form_submit":
            run = runs.setdefault(form_of(fact), [])
            if not run or fact.ts - run[-1].ts > thresholds["gap_ms"]:
                run.append(fact)
            continue
        if fact.type not in SUCCESSES:
            continue
        for form in [form for form, run in runs.items() if succeeds(fact, form, run[-1].place)]:
            yield from _fire(form, runs.pop(form), needed)
    for form, run in runs.items():
        yield from _fire(form, run, needed)


def _fire(form: str, run: Sequence[Fact], needed: int) -> Iterator[Signal]:
    if len(run) >= needed:
        evidence: dict[str, object] = {"form": form, "attempts": len(run), "span_ms": run[-1].ts - run[0].ts}
        yield Signal("form_retry", run[0], run[needed - 1], evidence)
