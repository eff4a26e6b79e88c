"""Quick backs, page loops, web vitals, searches without result and stuck logins, restated."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, zip_longest

from tests.oracle.events import Happening
from tests.oracle.friction import Friction, Limits, Session, first_within, of_type


def quick_backs(session: Session, limits: Limits) -> Iterator[Friction]:
    visits: list[Happening] = []
    for h in of_type(session, "page_view"):
        if not visits or visits[-1].place != h.place:
            visits.append(h)
    for a, b, c in zip(visits, visits[1:], visits[2:], strict=False):
        if a.place == c.place and c.at - b.at < limits["dwell_ms"]:
            yield Friction("quick_back", b, c, {"dwell_ms": c.at - b.at, "left": b.page, "back_to": c.page})


def page_loops(session: Session, limits: Limits) -> Iterator[Friction]:
    seen = of_type(session, "page_view")
    views = [
        h
        for n, h in enumerate(seen)
        if n == 0 or h.place != seen[n - 1].place or h.at - seen[n - 1].at > limits["repeat_ms"]
    ]
    for _, group in groupby(views, key=lambda view: view.place):
        yield from _loop("refresh", list(group), int(limits["refreshes"]) + 1, limits["span_ms"])
    reached = 0
    for start in range(len(views)):
        end = start + 1
        while end < len(views) and _goes_round(views[start : end + 1]):
            end += 1
        if end > reached:
            yield from _loop("circle", views[start:end], int(limits["views"]), limits["span_ms"])
        reached = max(reached, end)


def _goes_round(run: Session) -> bool:
    places = [view.place for view in run]
    return places[0] != places[1] and all(place == places[n % 2] for n, place in enumerate(places))


def _loop(kind: str, run: Session, needed: int, span_ms: float) -> Iterator[Friction]:
    if found := first_within(run, needed, span_ms):
        pages = [view.page for view in run[:2]] if kind == "circle" else [found[0].page]
        measured = {"kind": kind, "pages": pages, "views": len(run), "span_ms": run[-1].at - run[0].at}
        yield Friction("page_loop", *found, measured)


def slow_pages(session: Session, limits: Limits) -> Iterator[Friction]:
    yield from _poor("slow_page", "LCP", limits["lcp_ms"], session)


def slow_interactions(session: Session, limits: Limits) -> Iterator[Friction]:
    yield from _poor("slow_interaction", "INP", limits["inp_ms"], session)


def layout_shifts(session: Session, limits: Limits) -> Iterator[Friction]:
    yield from _poor("layout_shift", "CLS", limits["cls"], session)


def _poor(signal: str, metric: str, limit: float, session: Session) -> Iterator[Friction]:
    told = [h for h in of_type(session, "web_vital") if h.prop_text("name").upper() == metric]
    for load in {h.prop_text("id") or h.place for h in told}:
        over = [h for h in told if (h.prop_text("id") or h.place) == load and h.numbers.get("value", limit) > limit]
        if over:
            yield Friction(signal, over[0], over[0], {"metric": metric, "value": over[0].numbers["value"]})


def searches_without_result(session: Session, limits: Limits) -> Iterator[Friction]:
    searches = of_type(session, "search")
    for h, following in zip_longest(searches, searches[1:]):
        is_typing = following is not None and following.at - h.at <= limits["typing_ms"]
        if h.prop_number("results", "total_results") == 0 and not is_typing:
            yield Friction("search_without_result", h, h, {"query": h.prop_text("query")})


def stuck_logins(session: Session, limits: Limits) -> Iterator[Friction]:
    tries = of_type(session, "login", "login_failed")
    for succeeded, group in groupby(tries, key=lambda h: h.type == "login"):
        failures = list(group)
        if succeeded or len(failures) < limits["failures"]:
            continue
        resolved = any(h.type == "login" for h in tries[tries.index(failures[-1]) :])
        reason = failures[-1].prop_text("reason") or failures[-1].text("message")
        measured = {"failures": len(failures), "resolved": resolved, "reason": reason}
        yield Friction("stuck_login", failures[0], failures[int(limits["failures"]) - 1], measured)
