"""Which visits a planted incident or confounder meets, and what they show of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from snag.simulator import browsing, variants
from snag.simulator.browsing import Rows
from snag.simulator.calibration import CAMPAIGNS, COUNTRIES, DEVICES
from snag.simulator.incidents import STEPS, Confounder, Incident, Script, moment_of, step_of
from snag.simulator.moments import Bools, Floats, Ints

EVIDENCE_DRAWS: Final = browsing.RAGE_DRAWS
_SURPRISE: Final = 1.3


@dataclass(frozen=True)
class Planted:
    """An incident or confounder of one run: times in Unix ms, `stage` its index in STEPS (-1: all of them).

    `error_number`: of its own error among the variants that `plant` gives, -1 for none.
    """

    what: Incident | Confounder
    start_ms: int
    end_ms: int
    stage: int
    error_number: int = -1

    def strikes(self, segment: Bools, at_ms: Ints, stage: int, uniform: Floats) -> Bools:
        """Whom of `segment`, at `at_ms` on `stage`, it meets, by one uniform draw each."""
        if self.stage not in (stage, -1):
            return np.zeros(len(segment), np.bool_)
        return segment & (at_ms >= self.start_ms) & (at_ms < self.end_ms) & (uniform < self.what.share)


def plant(script: Script, start_ms: int) -> tuple[list[Planted], list[Planted], list[variants.Variant]]:
    """Incidents, confounders, and the variants of the incidents' own errors, for a run that starts at `start_ms`."""
    extra: list[variants.Variant] = []

    def planted(what: Incident | Confounder) -> Planted:
        number = -1
        if isinstance(what, Incident) and what.kind == "js_error":
            number = len(extra)
            message = what.message or f"{what.id} is not defined"
            extra.append(variants.Variant("js_error", b'{"error_type":"ReferenceError"}', message=message))
        step = step_of(what)
        stage = -1 if step is None else STEPS.index(step)
        return Planted(what, moment_of(what.start, start_ms), moment_of(what.end, start_ms), stage, number)

    incidents = [planted(incident) for incident in script.incident]
    return incidents, [planted(confounder) for confounder in script.confounder], extra


def in_segment(planted: Planted, device: Ints, country: Ints, campaign: Ints, release: Ints, names: list[str]) -> Bools:
    """Which visits are of the segment; `names` are the releases that `release` numbers."""
    wanted = planted.what.segment
    found = np.ones(len(device), np.bool_)
    for want, column, known in (
        (wanted.device, device, [device_ for device_, *_ in DEVICES]),
        (wanted.browser, device, [browser for _, browser, *_ in DEVICES]),
        (wanted.country, country, list(COUNTRIES)),
        (wanted.campaign, campaign, [name for *_, name in CAMPAIGNS]),
        (wanted.release, release, names),
    ):
        if want:
            found &= np.asarray([name == want for name in known], np.bool_)[column]
    return found


def show(rows: Rows, planted: Planted, here: Ints, path: Ints, money: Mapping[str, Floats], uniform: Floats) -> None:
    """The signs of `planted` on the rows `here`; their clocks move on. `uniform`: shape (EVIDENCE_DRAWS, len(here)).

    `money`: "value", "total" and "width_px" of all rows.
    """
    value, total = money["value"][here], money["total"][here]
    match planted.what.kind:
        case "payment_decline":
            rows.emit(here, "refused_processing_error", path)
            rows.fact(here, "payment_failed_soft")
            rows.clock[here] += 9000
        case "js_error" | "dead_button" | "rage_click":
            _show_clicks(rows, planted, here, path, money["width_px"][here].astype(np.int64), uniform)
        case "slow_page" | "slow_shipping":
            rows.emit(here, "lcp", path, np.floor(6000 + uniform[0] * 6000))
            rows.fact(here, "slow_page")
            rows.clock[here] += 12_000
        case "coupon_failing" | "coupon_hunt":
            rows.emit(here, "coupon_denied", path, value, total)
            rows.fact(here, "coupon_denied")
            rows.clock[here] += 5000
        case "surprise_cost":
            rows.emit(here, "payment", path, value, np.round(total * _SURPRISE, 2))
            rows.fact(here, "surprise_cost")
            rows.clock[here] += 2000
        case "forced_registration":
            rows.emit(here, "page_view", variants.REGISTER)
            rows.clock[here] += 20
            rows.emit(here, "registration_required", variants.REGISTER)
            rows.fact(here, "forced_registration")
            rows.clock[here] += 9000
        case "search_broken":
            word = (uniform[0] * len(variants.CATEGORIES)).astype(np.int64)
            rows.emit(here, variants.number_of("search_empty_0") + word, path)
            rows.fact(here, "search_without_result")
            rows.clock[here] += 5000
        case "outage":
            for _ in range(2):
                rows.emit(here, "http_503", path)
                rows.clock[here] += 4000
        case "help_sought":
            rows.emit(here, "help_opened", path)
            rows.fact(here, "help_sought")
            rows.clock[here] += 20_000
        case "long_browsing":
            pass  # it shows in the number of pages


def _show_clicks(rows: Rows, planted: Planted, here: Ints, path: Ints, width_px: Ints, uniform: Floats) -> None:
    if planted.what.kind == "js_error":
        rows.emit(here, "click_continue", path, *browsing.click_place(uniform[:2], width_px))
        rows.clock[here] += 150
        rows.emit(here, np.full(len(here), variants.TABLE_SIZE + planted.error_number), path)
        rows.fact(here, "error_click")
        rows.clock[here] += 4000
        return
    times = 3 + (uniform[-1] * 4).astype(np.int64)
    if planted.what.kind == "dead_button":
        rows.fact(here, "dead_click")
    variant = "dead_continue" if planted.what.kind == "dead_button" else "click_3"
    browsing.angry_clicks(rows, here, variant, path, width_px, times, uniform)
    rows.clock[here] += 3000
