"""A block of people with all their visits: events, planted friction, and what became of each visit in both worlds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from schemas.rules import FRICTION_RULES
from snag.simulator import calibration, strike, variants
from snag.simulator.calibration import Calibration
from snag.simulator.incidents import NOTHING, Script, moment_of
from snag.simulator.journey import Round
from snag.simulator.moments import Bools, Floats, Ints, Moments
from snag.simulator.population import BLOCK, Arrivals, People, draw_people, generator
from snag.simulator.visits import ORDERED, Outcome, Visits

RULES: Final = tuple(FRICTION_RULES)
_BOT_WIDTH_PX: Final = 1024
_ARRIVALS, _PEOPLE, _DELIVERY = range(3)  # purposes of generators; those of rounds follow
_PURPOSES: Final = 4


@dataclass(frozen=True)
class Plan:
    """One run: the same plan makes the same bytes (on the same version of numpy).

    `visitors_per_s` is the mean of a Poisson process that starts at `start_ms` (Unix ms); `visitors` None never ends.
    `swings`: with nights and weekends, and people who come again after hours or days. `until_ms`: nobody comes later.
    `site` stands in lines as they are kept; to the collector the write key says it.
    """

    seed: int
    start_ms: int
    visitors: int | None
    visitors_per_s: float
    shop: Calibration = calibration.SHOP
    swings: bool = False
    until_ms: int | None = None
    script: Script = NOTHING
    site: str = variants.SITE


@dataclass(frozen=True)
class Block:
    """Visits of up to BLOCK people, one row each, and their events. `without`: the stage reached without incidents.

    `person` is -1 for visits that are drawn and not made: beyond the plan's number of visitors or its end. `names`
    begin event ids, `tails` end lines. `ends_ms` and the facts are by the true clock, of which the visitor's own is
    `clock_off_ms` ahead. `met` is by incident, `shown` by confounder.
    """

    events: npt.NDArray[Any]
    facts: npt.NDArray[Any]
    person: Ints
    starts_ms: Ints
    ends_ms: Ints
    clock_off_ms: Ints
    is_bot: Bools
    is_new: Bools
    value: Floats
    stage: Ints
    without: Ints
    lost_to: Ints
    met: Bools
    shown: Bools
    names: npt.NDArray[np.object_]
    tails: npt.NDArray[np.object_]
    visitor_ids: Sequence[str]
    session_ids: Sequence[str]
    kept_cart: Bools
    site: str


class Blocks:
    """The blocks of one plan, in the order of arrival; ends only when nobody comes any more."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._arrivals = Arrivals(plan.start_ms, plan.visitors_per_s, plan.shop, swings=plan.swings)
        self.incidents, self.confounders, self.extra = strike.plant(plan.script, plan.start_ms)
        releases = [(plan.start_ms, calibration.RELEASE)]
        releases += [(moment_of(release.start, plan.start_ms), release.name) for release in plan.script.release]
        releases.sort()
        self._releases = releases
        self._salt = hashlib.blake2b(f"{plan.seed}|{plan.start_ms}".encode(), digest_size=4).hexdigest()
        self._next = 0

    def next(self) -> tuple[int, Block | None]:
        """When the last person of the next block arrives (Unix ms), and the block; None: the run is over."""
        plan, number = self._plan, self._next
        if plan.visitors is not None and number * BLOCK >= plan.visitors:
            return 0, None
        self._next += 1
        arrived = self._arrivals.next(generator(plan.seed, number, _ARRIVALS).standard_exponential(BLOCK))
        if plan.until_ms is not None and arrived[0] >= plan.until_ms:
            return 0, None
        rng = generator(plan.seed, number, _PEOPLE)
        people = draw_people(rng, arrived, plan.shop, come_again=plan.swings)
        value = np.round(plan.shop.basket_value * np.exp(plan.shop.basket_sigma * rng.standard_normal(BLOCK)), 2)
        return int(arrived[-1]), self._play(number, people, value)

    def _play(self, number: int, people: People, value: Floats) -> Block:
        plan = self._plan
        moments = Moments(RULES)
        left_with = left_without = np.zeros(BLOCK, np.bool_)
        persons: list[Ints] = []
        outcomes: list[Outcome] = []
        starts: list[Ints] = []
        rows = 0
        exists = np.arange(number * BLOCK, (number + 1) * BLOCK) < (plan.visitors or (number + 1) * BLOCK)
        for turn, (starts_ms, comes) in enumerate(zip(people.starts_ms, people.comes, strict=True)):
            purpose = _DELIVERY + 1 + turn * _PURPOSES
            draws = [generator(plan.seed, number, purpose + n) for n in range(_PURPOSES)]
            keeps = draws[3].random(BLOCK) < plan.shop.cart_kept_rate
            who = np.flatnonzero(comes)
            visits = self._visits(people, who, starts_ms, turn, value, rows, left_with & keeps, left_without & keeps)
            play = Round(
                moments,
                plan.shop,
                visits,
                self.incidents,
                self.confounders,
                browse=draws[0],
                decide=draws[1],
                strike=draws[2],
            )
            outcome = play.play()
            left_with, left_without = left_with.copy(), left_without.copy()
            left_with[who] = (outcome.stage > 0) & (outcome.stage < ORDERED)
            left_without[who] = (outcome.stage_without > 0) & (outcome.stage_without < ORDERED)
            persons.append(who)
            outcomes.append(outcome)
            starts.append(starts_ms[who])
            rows += len(who)
        return self._block(number, people, exists, value, moments, persons, starts, outcomes)

    def _visits(
        self,
        people: People,
        who: Ints,
        starts_ms: Ints,
        turn: int,
        value: Floats,
        first_row: int,
        kept_with: Bools,
        kept_without: Bools,
    ) -> Visits:
        release = self._release_of(starts_ms[who])
        names = [name for _, name in self._releases]
        width_px = np.asarray([width for *_, width in calibration.DEVICES])[people.device[who]]
        columns = (people.device[who], people.country[who], people.campaign[who], release, names)
        return Visits(
            visit=np.arange(first_row, first_row + len(who)),
            starts_ms=starts_ms[who],
            is_bot=people.is_bot[who],
            is_new=people.is_new[who] & (turn == 0),
            entry=variants.number_of("entry_0") + people.campaign[who],
            width_px=np.where(people.is_bot[who], _BOT_WIDTH_PX, width_px),
            value=value[who],
            kept_with=kept_with[who],
            kept_without=kept_without[who],
            incidents=[strike.in_segment(planted, *columns) for planted in self.incidents],
            confounders=[strike.in_segment(planted, *columns) for planted in self.confounders],
        )

    def _release_of(self, at_ms: Ints) -> Ints:
        return np.searchsorted([start for start, _ in self._releases[1:]], at_ms, side="right").astype(np.int64)

    def _block(
        self,
        number: int,
        people: People,
        exists: Bools,
        value: Floats,
        moments: Moments,
        persons: Sequence[Ints],
        starts: Sequence[Ints],
        outcomes: Sequence[Outcome],
    ) -> Block:
        person, starts_ms = np.concatenate(persons), np.concatenate(starts)
        real = exists[person]
        if self._plan.until_ms is not None:
            real &= starts_ms < self._plan.until_ms
        events, facts = moments.events(), moments.facts()
        names, tails, visitor_ids, session_ids = self._identities(number, people, persons, starts_ms)
        return Block(
            events=events,
            facts=facts,
            person=np.where(real, person, -1),
            starts_ms=starts_ms,
            ends_ms=np.concatenate([outcome.ends_ms for outcome in outcomes]),
            clock_off_ms=people.clock_off_ms[person],
            is_bot=people.is_bot[person],
            is_new=people.is_new[person] & (np.arange(len(person)) < BLOCK),
            value=value[person],
            stage=np.concatenate([outcome.stage for outcome in outcomes]),
            without=np.concatenate([outcome.stage_without for outcome in outcomes]),
            lost_to=np.concatenate([outcome.lost_to for outcome in outcomes]),
            met=np.concatenate([outcome.met for outcome in outcomes], axis=1),
            shown=np.concatenate([outcome.shown for outcome in outcomes], axis=1),
            names=names,
            tails=tails,
            visitor_ids=visitor_ids,
            session_ids=session_ids,
            kept_cart=np.concatenate([outcome.kept_cart for outcome in outcomes]),
            site=self._plan.site,
        )

    def _identities(
        self, number: int, people: People, persons: Sequence[Ints], starts_ms: Ints
    ) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_], list[str], list[str]]:
        release = self._release_of(starts_ms)
        names, tails, visitor_ids, session_ids = [], [], [], []
        row = 0
        for turn, who in enumerate(persons):
            for person in who.tolist():
                name = f"{self._salt}-{number * BLOCK + person}"
                visitor = f"v-{name}"
                if turn:
                    name = f"{name}.{turn + 1}"
                session = f"s-{name}"
                bot = bool(people.is_bot[person])
                device, browser, os, _ = calibration.DEVICES[people.device[person]]
                who_it_is = {
                    "visitor_id": visitor,
                    "session_id": session,
                    "device": "bot" if bot else device,
                    "browser": "Googlebot" if bot else browser,
                    "os": "" if bot else os,
                    "country": calibration.COUNTRIES[people.country[person]],
                    "release": self._releases[int(release[row])][1],
                    "is_bot": bot,
                }
                names.append(name.encode())
                tails.append(orjson.dumps(who_it_is)[1:])
                visitor_ids.append(visitor)
                session_ids.append(session)
                row += 1
        return _objects(names), _objects(tails), visitor_ids, session_ids


def delivery_draws(plan: Plan, number: int) -> np.random.Generator:
    """What becomes of a block's events on their way: late, twice."""
    return generator(plan.seed, number, _DELIVERY)


def _objects(values: Sequence[bytes]) -> npt.NDArray[np.object_]:
    found = np.empty(len(values), np.object_)
    found[:] = values
    return found
