"""One visit each of many people, from the first page to the last, and the order they would have made otherwise.

Both worlds, with and without the incidents, go by the same draws (common random numbers): whoever passes a step
without them and fails with them was lost to them and to nothing else. Draws of a purpose have one shape whatever is
planted, so those whom nothing strikes do the same to the millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from snag.simulator import browsing, variants
from snag.simulator.browsing import click_place
from snag.simulator.calibration import Calibration
from snag.simulator.moments import Bools, Floats, Ints, Moments, lognormal_ms
from snag.simulator.strike import EVIDENCE_DRAWS, Planted, show
from snag.simulator.visits import ORDERED, Outcome, Visits, Walk

LONG_BROWSING_TIMES: Final = 3
_SLOW_STEP_MS: Final = 300_000
_STEP_DRAWS: Final = 20
_PAGES: Final = (variants.CART, variants.CHECKOUT, variants.SHIPPING, variants.PAYMENT)
_NEXT_PAGES: Final = (variants.CHECKOUT, variants.SHIPPING, variants.PAYMENT, variants.DONE)


class Round:
    """One round of visits of one block; `generators` are of one purpose each, so that none disturbs another."""

    def __init__(
        self,
        moments: Moments,
        shop: Calibration,
        visits: Visits,
        incidents: Sequence[Planted],
        confounders: Sequence[Planted],
        *,
        browse: np.random.Generator,
        decide: np.random.Generator,
        strike: np.random.Generator,
    ) -> None:
        size = len(visits.visit)
        self._moments, self._shop, self._visits = moments, shop, visits
        self._incidents, self._confounders = incidents, confounders
        self._browse = browse
        self._uniform = decide.random((8, size))
        self._normal = decide.standard_normal((7, size))
        self._step_uniform = decide.random((4, _STEP_DRAWS, size))
        self._struck = strike.random((len(incidents), 5, 1 + EVIDENCE_DRAWS, size))
        self._sign = strike.random((len(confounders), 1 + EVIDENCE_DRAWS, size))
        self._met = np.zeros((len(incidents), size), np.bool_)
        self._trait = np.zeros((len(confounders), size), np.bool_)
        self._shown = np.zeros((len(confounders), size), np.bool_)
        self._lost_to = np.full(size, -1)
        self._money = {
            "value": visits.value,
            "total": np.round(visits.value + shop.shipping_cost, 2),
            "width_px": visits.width_px.astype(np.float64),
        }

    def play(self) -> Outcome:
        """Everything that happens in these visits, into the moments; and how they end."""
        shop, visits, moments = self._shop, self._visits, self._moments
        people = np.flatnonzero(~visits.is_bot)
        walk = Walk(moments, visits.visit, visits.starts_ms)
        walk.emit(people, visits.entry[people], self._entry_path()[people])
        fresh = ~visits.is_bot & ~visits.kept_with
        walk.clock += np.where(fresh, lognormal_ms(self._normal[0], shop.dwell_s, shop.dwell_sigma), 20)

        sees = ~visits.is_bot & (self._uniform[0] < shop.catalog_rate)
        carrier = np.where(visits.is_new, shop.cart_rate_new, shop.cart_rate_returning)
        pages = np.exp(np.log(shop.pages_median) + shop.pages_sigma * self._normal[1])
        traits = self._traits(walk.clock)
        for number, planted in enumerate(self._confounders):
            if planted.what.kind == "long_browsing":
                self._shown[number] = self._trait[number] & sees & fresh
                pages = np.where(self._trait[number], pages * LONG_BROWSING_TIMES, pages)
        pages = np.clip(np.round(pages), 1, shop.pages_max).astype(np.int64)
        ends, path = self._look_around(walk, sees, pages)
        walk.clock = np.where(sees & fresh, ends, walk.clock)

        would = sees & (self._uniform[1] < carrier * traits[0])
        tries = sees & fresh
        adds = would & fresh & ~self._strike(walk, 0, tries, path, self._uniform[1], carrier * traits[0])
        stage_without = np.where(visits.kept_without | would, self._stages(traits), np.where(sees, 0, -1))
        stage = self._buy(walk, adds, visits.kept_with, traits)
        stage = np.where(stage > 0, stage, np.where(sees, 0, -1))

        last = np.where(stage > 0, np.asarray((0, *_PAGES, variants.DONE))[stage], path)
        walk.emit(people, "page_leave", last[people])
        bots = np.flatnonzero(visits.is_bot)
        walk.clock[bots] = browsing.crawl(moments, self._browse, shop, visits.visit[bots], visits.starts_ms[bots])
        stage, stage_without = (np.where(visits.is_bot, -1, where) for where in (stage, stage_without))
        return Outcome(walk.clock, stage, stage_without, self._lost_to, self._met, self._shown, visits.kept_with)

    def _entry_path(self) -> Ints:
        kept = np.full(len(self._visits.visit), variants.CART)
        fresh = np.where(
            self._uniform[2] < 0.5,
            variants.HOME,
            browsing.catalog_paths(self._uniform[3], self._uniform[4], self._shop),
        )
        return np.where(self._visits.kept_with, kept, fresh)

    def _traits(self, at_ms: Ints) -> Floats:
        """By stage, what the confounded are more or less likely to do; marks them."""
        traits = np.ones((5, len(at_ms)))
        for number, planted in enumerate(self._confounders):
            stage = max(planted.stage, 0)
            chosen = planted.strikes(self._visits.confounders[number], at_ms, planted.stage, self._sign[number, 0])
            self._trait[number] = chosen & ~self._visits.is_bot
            traits[stage] = np.where(
                self._trait[number], traits[stage] * getattr(planted.what, "intent", 1.0), traits[stage]
            )
        return traits

    def _look_around(self, walk: Walk, sees: Bools, pages: Ints) -> tuple[Ints, Ints]:
        visits = self._visits
        rows = np.flatnonzero(sees)
        entry = self._entry_path()
        ends, path = visits.starts_ms.copy(), entry.copy()
        ends[rows], path[rows] = browsing.browse(
            self._moments,
            self._browse,
            self._shop,
            visits.visit[rows],
            walk.clock[rows],
            pages[rows],
            entry[rows],
            visits.width_px[rows],
            ~visits.kept_with[rows],
        )
        return ends, np.where(visits.kept_with, entry, path)

    def _stages(self, traits: Floats) -> Ints:
        """How far those with a cart get without incidents: 1 to ORDERED."""
        stage, going = np.ones(len(self._visits.visit), np.int64), np.ones(len(self._visits.visit), np.bool_)
        for number, rate in enumerate(self._shop.step_rates):
            going &= self._step_uniform[number, 0] < rate * traits[number + 1]
            stage += going
        return stage

    def _strike(self, walk: Walk, stage: int, here: Bools, path: Ints, uniform: Floats, rate: Floats) -> Bools:
        """Who of `here`, going on at `rate` by the draw `uniform`, is stopped by an incident; all struck show it."""
        stopped = np.zeros(len(here), np.bool_)
        would = uniform < rate
        for number, planted in enumerate(self._incidents):
            draws = self._struck[number, stage]
            met = planted.strikes(self._visits.incidents[number] & here, walk.clock, stage, draws[0])
            if met.any():
                self._met[number] |= met
                rate = np.where(met, rate * getattr(planted.what, "conversion", 1.0), rate)
                fails = met & (uniform >= rate) & ~stopped
                self._lost_to = np.where(fails & would, number, self._lost_to)
                stopped |= fails
                rows = np.flatnonzero(met)
                show(walk, planted, rows, path[rows], self._money, draws[1:, rows])
        return stopped

    def _buy(self, walk: Walk, adds: Bools, kept: Bools, traits: Floats) -> Ints:
        """Into the cart and through the checkout, as far as each visitor gets: 0, or 1 to ORDERED."""
        shop = self._shop
        value, total = self._money["value"], self._money["total"].copy()
        self._fill_cart(walk, np.flatnonzero(adds))
        on = adds | kept
        rows = np.flatnonzero(on)
        walk.emit(rows, "cart_viewed", variants.CART, value[rows], total[rows])
        shown_value = value.copy()
        stage = on.astype(np.int64)
        buys = self._stages(traits) == ORDERED
        for number, (step, rate) in enumerate(zip(variants.STEP_EVENTS, shop.step_rates, strict=True)):
            draws = self._step_uniform[number]
            since = walk.clock.copy()
            walk.clock += np.where(on, lognormal_ms(self._normal[2 + number], shop.step_s[number], shop.step_sigma), 0)
            chance = rate * traits[number + 1]
            here = np.full(len(on), _PAGES[number])
            self._signs(walk, number + 1, on, here)
            goes = on & (draws[0] < chance)
            goes &= ~self._strike(walk, number + 1, on, here, draws[0], chance)
            self._met_trouble(walk, number, on, goes, draws)
            self._obstacles(walk, number, on, goes, draws, shown_value, total)
            rows = np.flatnonzero(goes)
            if step == "shipping":
                shown_value = total.copy()
            elif step == "payment":
                surprised = goes & (draws[6] < np.where(buys, shop.survivor_trouble_rate, shop.surprise_rate))
                total = np.where(surprised, np.round(total * shop.surprise_factor, 2), total)
            walk.emit(
                rows, "click_continue", _PAGES[number], *click_place(draws[7:9, rows], self._visits.width_px[rows])
            )
            walk.clock[rows] += 200
            walk.emit(rows, "page_view", _NEXT_PAGES[number])
            walk.clock[rows] += 20
            walk.emit(rows, step, _NEXT_PAGES[number], shown_value[rows], total[rows])
            if step == "payment":
                walk.fact(np.flatnonzero(surprised), "surprise_cost")
            if number:
                walk.fact(np.flatnonzero(goes & (walk.clock - since > _SLOW_STEP_MS)), "slow_step")
            else:
                self._log_in(walk, goes & ~self._visits.is_new, draws)
            on = goes
            stage += on
        return stage

    def _fill_cart(self, walk: Walk, rows: Ints) -> None:
        shop, value = self._shop, self._money["value"]
        product = variants.FIRST_PRODUCT + (self._uniform[5] * variants.PRODUCTS).astype(np.int64)
        walk.emit(rows, "page_view", product[rows])
        walk.clock[rows] += lognormal_ms(self._normal[6][rows], shop.dwell_s, shop.dwell_sigma)
        walk.emit(rows, "click_0", product[rows], *click_place(self._uniform[6:8, rows], self._visits.width_px[rows]))
        walk.clock[rows] += 150
        walk.emit(rows, "product_added", product[rows], value[rows])
        walk.clock[rows] += 4000
        walk.emit(rows, "page_view", variants.CART)
        walk.clock[rows] += 20

    def _signs(self, walk: Walk, stage: int, on: Bools, here: Ints) -> None:
        for number, planted in enumerate(self._confounders):
            if planted.stage == stage:
                self._shown[number] = on & self._trait[number]
                rows = np.flatnonzero(self._shown[number])
                show(walk, planted, rows, here[rows], self._money, self._sign[number, 1:, rows].T)

    def _met_trouble(self, walk: Walk, number: int, on: Bools, goes: Bools, draws: Floats) -> None:
        rate = np.where(goes, self._shop.survivor_trouble_rate, self._shop.leaver_trouble_rate)
        rows = np.flatnonzero(on & (draws[1] < rate))
        browsing.trouble(walk, rows, np.full(len(rows), _PAGES[number]), draws[2:4, rows])
        walk.clock[rows] += 5000

    def _obstacles(
        self, walk: Walk, number: int, on: Bools, goes: Bools, draws: Floats, value: Floats, total: Floats
    ) -> None:
        """What stands in the way before the next step; those who leave met it more often."""
        shop = self._shop
        unlucky = draws[4] < np.where(goes, shop.survivor_trouble_rate, shop.leaver_obstacle_rate)
        here = _PAGES[number]
        if number == 1:
            self._fill_form(walk, on, goes, draws)
            rows = np.flatnonzero(on & unlucky & self._visits.is_new)
            walk.emit(rows, "page_view", variants.REGISTER)
            walk.fact(rows, "forced_registration")
            walk.clock[rows] += 9000
            walk.emit(rows, "page_view", here)
        elif number == 2:
            rows = np.flatnonzero(on & unlucky)
            walk.clock[rows] += 6000
            walk.emit(rows, "coupon_denied", here, value[rows], total[rows])
            walk.fact(rows, "coupon_denied")
            walk.clock[rows] += 3000
        elif number == 3:
            rows = np.flatnonzero(on & unlucky)
            walk.clock[rows] += 12_000
            walk.emit(rows, "help_opened", here)
            walk.fact(rows, "help_sought")
            walk.clock[rows] += 20_000
            self._refuse_card(walk, on & ~goes & (draws[9] < shop.leaver_declined_rate), draws)

    def _fill_form(self, walk: Walk, on: Bools, goes: Bools, draws: Floats) -> None:
        """The address filled in; sent twice by some, left by others."""
        rows = np.flatnonzero(on)
        walk.emit(rows, "form_start", variants.CHECKOUT)
        walk.clock[rows] += 9000
        walk.emit(rows, "form_field", variants.CHECKOUT)
        walk.fact(np.flatnonzero(on & ~goes), "form_abandonment")
        twice = np.flatnonzero(goes & (draws[5] < self._shop.form_retry_rate))
        walk.emit(twice, "form_submit", variants.CHECKOUT)
        walk.fact(twice, "form_retry")
        walk.clock[twice] += 3000
        walk.emit(np.flatnonzero(goes), "form_submit", variants.CHECKOUT)

    def _refuse_card(self, walk: Walk, refused: Bools, draws: Floats) -> None:
        hard = draws[10] < self._shop.hard_refusal_share
        for kind, codes, rule in (
            (hard, variants.HARD_CODES, "payment_failed_hard"),
            (~hard, variants.SOFT_CODES, "payment_failed_soft"),
        ):
            rows = np.flatnonzero(refused & kind)
            walk.fact(rows, rule)
            which = (draws[11][rows] * len(codes)).astype(np.int64)
            for n, code in enumerate(codes):
                walk.emit(rows[which == n], f"refused_{code}", variants.PAYMENT)

    def _log_in(self, walk: Walk, who: Bools, draws: Floats) -> None:
        """A returning customer's login: mostly at once, else after some tries or not at all."""
        rows = np.flatnonzero(who)
        walk.clock[rows] += 8000
        fails = who & (draws[12] < self._shop.login_trouble_rate)
        walk.fact(np.flatnonzero(fails), "stuck_login")
        for more in (fails, fails, fails & (draws[13] < 0.5)):
            tries = np.flatnonzero(more)
            walk.emit(tries, "login_failed", variants.CHECKOUT)
            walk.clock[tries] += 7000
        walk.emit(np.flatnonzero(who & ~(fails & (draws[14] < 0.5))), "login", variants.CHECKOUT)
