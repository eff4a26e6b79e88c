"""Repeated field error: the same field of a form refused again before the form was accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.form import SUCCESSES, form_of, succeeds
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Repeated field errors among `facts`; thresholds: errors, gap_ms. A run of refusals fires once."""
    needed = max(1, int(thresholds["errors"]))
    runs: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        if fact.type == "form_error":
            field = fact.text("field") or fact.element
            if field:
                run = runs.setdefault((form_of(fact), field), [])
                if not run or fact.ts - run[-1].ts > thresholds["gap_ms"]:
                    run.append(fact)
            continue
        if fact.type not in SUCCESSES:
            continue
        for key in [key for key, run in runs.items() if succeeds(fact, key[0], run[-1].place)]:
            yield from _fire(key, runs.pop(key), needed)
    for key, run in runs.items():
        yield from _fire(key, run, needed)


def _fire(key: tuple[str, str], run: Sequence[Fact], needed: int) -> Iterator[Signal]:
    if len(run) >= needed:
        form, field = key
        evidence = {"form": form, "field": field, "errors": len(run), "message": run[-1].message}
        yield Signal("repeated_field_error", run[0], run[needed - 1], evidence)
