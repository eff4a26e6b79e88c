"""Page loop: round in circles between two pages (A-B-A-B), or the same page loaded again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Page loops among `facts`; thresholds: views, refreshes, span_ms, repeat_ms. A run fires once."""
    views = _views(facts, thresholds["repeat_ms"])
    span_ms = thresholds["span_ms"]
    reloaded, round_ = max(2, int(thresholds["refreshes"]) + 1), max(3, int(thresholds["views"]))
    places = [view.path or view.page for view in views]
    fours = zip(places, places[1:], places[2:], places[3:], strict=False)
    if min(reloaded, round_) > 3 and not any(a == c and b == d for a, b, c, d in fours):
        return  # most sessions: nowhere two views that repeat the two before
    circle: list[Fact] = []
    reloads: list[Fact] = []
    for view in views:
        if reloads and view.place == reloads[-1].place:
            reloads.append(view)
        else:
            yield from _fire("refresh", reloads, reloaded, span_ms)
            reloads = [view]
        if len(circle) > 1 and view.place == circle[-2].place and view.place != circle[-1].place:
            circle.append(view)
        else:
            yield from _fire("circle", circle, round_, span_ms)
            circle = [circle[-1], view] if circle and view.place != circle[-1].place else [view]
    yield from _fire("refresh", reloads, reloaded, span_ms)
    yield from _fire("circle", circle, round_, span_ms)


def _views(facts: Sequence[Fact], repeat_ms: float) -> list[Fact]:
    """The page views, without those that repeat the view before within `repeat_ms`."""
    views = [fact for fact in facts if fact.type == "page_view"]
    return views[:1] + [
        view
        for before, view in pairwise(views)
        if view.ts - before.ts > repeat_ms or (view.path or view.page) != (before.path or before.page)
    ]


def _fire(kind: str, run: Sequence[Fact], needed: int, span_ms: float) -> Iterator[Signal]:
    for first, at in zip(run, run[needed - 1 :], strict=False):
        if at.ts - first.ts <= span_ms:
            pages = [view.page for view in run[:2]] if kind == "circle" else [first.page]
            evidence = {"kind": kind, "pages": pages, "views": len(run), "span_ms": run[-1].ts - run[0].ts}
            yield Signal("page_loop", first, at, evidence)
            return
