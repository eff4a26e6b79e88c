"""The simulated shop: its shares are the published ones, its events are what the collector takes, its bytes repeat."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import fields, replace
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from processors.domain.fact import Fact, decode_lines, to_fact
from processors.domain.friction import Finders
from processors.domain.rules import Rules
from schemas.event import KIND_OF_TYPE, from_ms
from schemas.openapi import IncomingEvent
from schemas.rules import FRICTION_RULES
from snag.simulator.block import Block
from snag.simulator.calibration import CAMPAIGN_SHARES, CAMPAIGNS, DEVICE_SHARES, DEVICES, EVENTS_PER_VISITOR, SHOP
from snag.simulator.population import Arrivals
from snag.simulator.stream import Plan, arrivals, deliveries

START_MS = 1_795_000_000_000
VISITS = 6000
STEPS = ("product_added", "checkout_started", "shipping", "payment", "order_completed")


class Moment(NamedTuple):
    at_ms: int
    type: str
    path: str
    x: float
    y: float


def visits_of(plan: Plan) -> list[tuple[bool, list[Moment]]]:
    """(whether the visitor is new to the shop, moments by time) of people's visits, repeats left out."""
    sessions: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    is_new: dict[str, bool] = {}

    def on_block(block: Block) -> None:
        is_new.update(zip(block.session_ids, block.is_new.tolist(), strict=True))

    for arrived in arrivals(plan, on_block=on_block):
        for line in arrived.lines:
            event = msgspec.json.decode(line)
            if not event["is_bot"]:
                sessions[event["session_id"]][int(event["event_id"].rpartition("-")[2])] = event
    found = []
    for session, events in sessions.items():
        moments = [
            Moment(
                round(datetime.fromisoformat(event["ts"]).timestamp() * 1000),
                *(event["type"], event["path"], event.get("x", 0), event.get("y", 0)),
            )
            for _, event in sorted(events.items())
        ]
        found.append((is_new[session], moments))
    return found


@pytest.fixture(scope="module")
def visits() -> list[tuple[bool, list[Moment]]]:
    return visits_of(Plan(seed=11, start_ms=START_MS, visitors=VISITS, visitors_per_s=5.0))


def bought(moments: list[Moment]) -> bool:
    return any(moment.type == "order_completed" for moment in moments)


def test_as_many_visits_end_in_an_order_as_published(visits: list[tuple[bool, list[Moment]]]) -> None:
    assert sum(bought(moments) for _, moments in visits) / len(visits) == pytest.approx(0.1547, abs=0.015)
    for is_new, share in ((True, 0.249), (False, 0.139)):
        group = [moments for new, moments in visits if new is is_new]
        assert sum(map(bought, group)) / len(group) == pytest.approx(share, abs=0.03)


def test_people_leave_each_checkout_step_at_the_published_rates(visits: list[tuple[bool, list[Moment]]]) -> None:
    reached = Counter(step for _, moments in visits for step in {moment.type for moment in moments} if step in STEPS)
    counts = [reached[step] for step in STEPS]
    rates = [after / before for before, after in itertools.pairwise(counts)]
    assert rates == pytest.approx(list(SHOP.step_rates), abs=0.05)
    assert 1 - counts[-1] / counts[0] == pytest.approx(0.68, abs=0.04)  # Baymard: 66 to 70 % of carts


def test_visits_have_the_published_number_of_catalog_pages_and_time_on_them(
    visits: list[tuple[bool, list[Moment]]],
) -> None:
    pages, seconds = [], []
    for _, moments in visits:
        views = [moment for moment in moments if moment.type == "page_view"]
        catalog = [view.path.startswith(("/p/", "/c/")) for view in views]
        ends = [view.at_ms for view in views[1:]] + [moments[-1].at_ms]
        pages.append(sum(catalog))
        seconds.append(
            sum(end - view.at_ms for view, end, here in zip(views, ends, catalog, strict=True) if here) / 1000
        )
    assert median(pages) == pytest.approx(18, abs=1.5)
    assert median(seconds) == pytest.approx(599, rel=0.08)


def test_moments_of_a_visit_are_in_order_and_steps_in_the_funnels_order(
    visits: list[tuple[bool, list[Moment]]],
) -> None:
    for _, moments in visits[:500]:
        times = [moment.at_ms for moment in moments]
        assert times == sorted(times)
        steps = [moment.type for moment in moments if moment.type in STEPS]
        assert steps == list(STEPS[: len(steps)])


def test_rage_clicks_are_rage_clicks_by_the_rule(visits: list[tuple[bool, list[Moment]]]) -> None:
    rule = FRICTION_RULES["rage_click"].thresholds
    runs = 0
    for _, moments in visits:
        clicks = [moment for moment in moments if moment.type == "click"]
        near = [
            b.at_ms - a.at_ms < rule["gap_ms"] and abs(b.x - a.x) + abs(b.y - a.y) < rule["distance_px"]
            for a, b in itertools.pairwise(clicks)
        ]
        runs += any(all(near[i : i + 2]) for i in range(len(near) - 1))
    assert runs > len(visits) * 0.05


def test_late_and_repeated_events_have_their_shares() -> None:
    ids: Counter[str] = Counter()
    late = total = 0
    shop = replace(SHOP, wrong_clock_rate=0.0)
    for at_ms, line in deliveries(Plan(seed=2, start_ms=START_MS, visitors=400, visitors_per_s=1.0, shop=shop)):
        event = msgspec.json.decode(line, type=IncomingEvent)
        assert event.event_id is not None and isinstance(event.ts, datetime)
        ids[event.event_id] += 1
        if ids[event.event_id] == 1:
            total += 1
            late += at_ms - event.ts.timestamp() * 1000 > 5000
    assert late / total == pytest.approx(SHOP.late_rate, abs=0.004)
    assert sum(n - 1 for n in ids.values()) / total == pytest.approx(SHOP.duplicate_rate, abs=0.004)
    assert set(ids.values()) == {1, 2}


def test_devices_and_campaigns_have_their_shares_and_some_clocks_are_wrong_either_way() -> None:
    plan = Plan(seed=6, start_ms=START_MS, visitors=4000, visitors_per_s=5.0, shop=replace(SHOP, late_rate=0.0))
    first: dict[str, tuple[float, dict[str, Any]]] = {}
    for at_ms, line in deliveries(plan):
        event = msgspec.json.decode(line)
        if not event["is_bot"]:
            ahead_s = datetime.fromisoformat(event["ts"]).timestamp() - at_ms / 1000
            first.setdefault(event["visitor_id"], (ahead_s, event))
    people = len(first)
    kinds = Counter((e["device"], e["browser"], e["os"]) for _, e in first.values())
    for (*kind, _), share in zip(DEVICES, DEVICE_SHARES, strict=True):
        assert kinds[tuple(kind)] / people == pytest.approx(share, abs=0.03)
    for (*_, name), share in zip(CAMPAIGNS[1:], CAMPAIGN_SHARES[1:], strict=True):
        came = sum(e["url"].endswith(f"utm_campaign={name}") for _, e in first.values())
        assert came / people == pytest.approx(share, abs=0.03)
    wrong = [ahead_s for ahead_s, _ in first.values() if abs(ahead_s) > 2]
    assert len(wrong) / people == pytest.approx(SHOP.wrong_clock_rate, abs=0.01)
    assert min(wrong) < 0 < max(wrong)


def test_bots_are_flagged_and_have_their_share() -> None:
    kinds: dict[str, set[bool]] = defaultdict(set)
    for _, line in deliveries(Plan(seed=3, start_ms=START_MS, visitors=1000, visitors_per_s=5.0)):
        event = msgspec.json.decode(line, type=IncomingEvent)
        assert event.visitor_id is not None and event.is_bot is not None
        kinds[event.visitor_id].add(event.is_bot)
        assert not event.is_bot or KIND_OF_TYPE[event.type] == "clickstream"
    assert all(len(flags) == 1 for flags in kinds.values())
    assert sum(flags == {True} for flags in kinds.values()) / len(kinds) == pytest.approx(SHOP.bot_share, abs=0.03)


def test_the_mean_number_of_events_is_the_one_that_rates_are_computed_with() -> None:
    visitors = 3000
    lines = sum(1 for _ in deliveries(Plan(seed=4, start_ms=START_MS, visitors=visitors, visitors_per_s=5.0)))
    assert lines / visitors == pytest.approx(EVENTS_PER_VISITOR, rel=0.05)


def test_every_friction_signal_appears_in_the_traffic_and_none_in_all_of_it() -> None:
    sessions: dict[str, dict[str, Fact]] = defaultdict(dict)
    reader = Rules(funnels=()).reader
    for at_ms, line in deliveries(Plan(seed=5, start_ms=START_MS, visitors=1500, visitors_per_s=5.0)):
        event = msgspec.json.decode(line)
        if event["is_bot"]:
            continue
        event |= {"site": "shop", "received_at": from_ms(at_ms).isoformat(), "page": event["path"]}
        (read,), bad = decode_lines(msgspec.json.encode(event))
        assert bad == 0
        sessions[read.session_id].setdefault(read.event_id, to_fact(read, read.session_id, reader))
    found = [
        Finders(FRICTION_RULES).find(sorted(facts.values(), key=lambda fact: fact.order)) for facts in sessions.values()
    ]
    shares = Counter(name for signals in found for name in {signal.signal for signal in signals})
    assert shares.keys() == FRICTION_RULES.keys()
    assert max(shares.values()) < len(sessions) / 2, shares.most_common(1)


def test_weeks_have_nights_and_weekends_and_the_mean_that_was_asked_for() -> None:
    monday_ms = round(datetime(2026, 11, 2, tzinfo=UTC).timestamp() * 1000)
    arrivals = Arrivals(monday_ms, 0.1, SHOP, swings=True)
    rng = np.random.default_rng(1)
    at_ms = np.concatenate([arrivals.next(rng.standard_exponential(1000)) for _ in range(120)])
    assert np.all(np.diff(at_ms) >= 0)
    weeks = (at_ms[-1] - monday_ms) / (7 * 86_400_000)
    assert len(at_ms) / (weeks * 7 * 86_400) == pytest.approx(0.1, rel=0.02)
    hour = (at_ms - monday_ms) // 3_600_000
    by_hour = np.bincount(hour % 24, minlength=24) / len(at_ms) * 24
    assert by_hour[4] == pytest.approx(SHOP.night_factor, abs=0.05) and by_hour[16] > 1.6
    by_day = np.bincount(hour // 24 % 7, minlength=7) / len(at_ms) * 7
    assert by_day[5:].mean() == pytest.approx(SHOP.weekend_factor, abs=0.05)


def test_every_figure_has_a_source_and_a_meaning() -> None:
    assert all(figure.metadata["source"] and figure.metadata["meaning"] for figure in fields(SHOP))
