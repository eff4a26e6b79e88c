"""The truth beside the data: each session in both worlds, and what each incident cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from schemas import truth
from schemas.event import from_ms
from schemas.truth import TruthConfounder, TruthIncident, TruthRecord, TruthRun, TruthSession
from snag.simulator import strike
from snag.simulator.block import RULES, Block, Plan
from snag.simulator.incidents import Confounder, Incident, step_of
from snag.simulator.visits import ORDERED

SIGNALS: Final[dict[str, list[str]]] = {
    "payment_decline": ["payment_failed_soft"],
    "js_error": ["error_click"],
    "dead_button": ["rage_click", "dead_click"],
    "slow_page": ["slow_page"],
    "slow_shipping": ["slow_page"],
    "coupon_failing": ["coupon_denied"],
    "coupon_hunt": ["coupon_denied"],
    "surprise_cost": ["surprise_cost"],
    "forced_registration": ["forced_registration"],
    "search_broken": ["search_without_result"],
    "outage": [],
    "help_sought": ["help_sought"],
    "rage_click": ["rage_click"],
    "long_browsing": [],
}
"""Snag's signals that a planted kind shows as; an outage shows as errors."""

_FAR_MS: Final = 4_000_000_000_000  # "for ever", as a moment


class Truth:
    """Takes in blocks as they are made (`sessions`), and knows at the end what the incidents came to (`totals`)."""

    def __init__(self, plan: Plan, cut_ms: int | None = None) -> None:
        """`cut_ms`: events that arrive later (Unix ms) are not sent."""
        self._plan, self._cut_ms = plan, cut_ms
        self._incidents, self._confounders, extra = strike.plant(plan.script, plan.start_ms)
        self._messages = [variant.message for variant in extra]
        self._met = np.zeros(len(self._incidents), np.int64)
        self._lost = np.zeros(len(self._incidents), np.int64)
        self._lost_value = np.zeros(len(self._incidents))
        self._recovered = np.zeros(len(self._incidents), np.int64)
        self._shown = np.zeros(len(self._confounders), np.int64)

    def run(self) -> TruthRun:
        """The first record."""
        return TruthRun(
            seed=self._plan.seed,
            site=self._plan.site,
            starts_at=from_ms(self._plan.start_ms),
            cut_at=None if self._cut_ms is None else from_ms(self._cut_ms),
        )

    def sessions(self, block: Block) -> Iterator[TruthSession]:
        """The records of a block's sessions; counts what its incidents cost."""
        made = block.person >= 0
        if self._cut_ms is not None:
            made &= block.starts_ms < self._cut_ms
        self._count(block, np.flatnonzero(made))
        friction: dict[int, dict[str, int]] = {}
        for visit, rule in zip(block.facts["visit"].tolist(), block.facts["rule"].tolist(), strict=True):
            found = friction.setdefault(visit, {})
            found[RULES[rule]] = found.get(RULES[rule], 0) + 1
        names = [planted.what.id for planted in self._incidents]
        signs = [planted.what.id for planted in self._confounders]
        for row in np.flatnonzero(made).tolist():
            stage, without, lost_to = int(block.stage[row]), int(block.without[row]), int(block.lost_to[row])
            yield TruthSession(
                session_id=block.session_ids[row],
                visitor_id=block.visitor_ids[row],
                starts_at=from_ms(int(block.starts_ms[row])),
                ends_at=from_ms(int(block.ends_ms[row])),
                clock_off_ms=int(block.clock_off_ms[row]),
                is_bot=bool(block.is_bot[row]),
                stage=truth.STAGES[stage] if stage >= 0 else "",
                stage_without=truth.STAGES[without] if without >= 0 else "",
                value=float(block.value[row]) if max(stage, without) > 0 else 0.0,
                met=[name for name, met in zip(names, block.met[:, row].tolist(), strict=True) if met],
                lost_to=names[lost_to] if lost_to >= 0 else "",
                confounders=[name for name, shown in zip(signs, block.shown[:, row].tolist(), strict=True) if shown],
                friction=friction.get(row, {}),
                kept_cart=bool(block.kept_cart[row]),
                cut=self._cut_ms is not None and bool(block.ends_ms[row] >= self._cut_ms),
            )

    def totals(self) -> Iterator[TruthIncident | TruthConfounder]:
        """The last records."""
        for number, planted in enumerate(self._incidents):
            what = planted.what
            if not isinstance(what, Incident):
                raise TypeError(f"{what.id} is no incident")
            yield TruthIncident(
                id=what.id,
                kind=what.kind,
                step=step_of(what) or "",
                starts_at=from_ms(planted.start_ms),
                ends_at=from_ms(min(planted.end_ms, _FAR_MS)),
                segment=_segment(what),
                share=what.share,
                conversion=what.conversion,
                signals=SIGNALS[what.kind],
                error_message=self._messages[planted.error_number] if planted.error_number >= 0 else "",
                met_sessions=int(self._met[number]),
                lost_orders=int(self._lost[number]),
                lost_value=round(float(self._lost_value[number]), 2),
                recovered_orders=int(self._recovered[number]),
            )
        for number, planted in enumerate(self._confounders):
            what = planted.what
            if not isinstance(what, Confounder):
                raise TypeError(f"{what.id} is no confounder")
            yield TruthConfounder(
                id=what.id,
                kind=what.kind,
                step=step_of(what) or "",
                segment=_segment(what),
                intent=what.intent,
                signals=SIGNALS[what.kind],
                shown_sessions=int(self._shown[number]),
            )

    def _count(self, block: Block, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
        self._met += block.met[:, rows].sum(axis=1)
        self._shown += block.shown[:, rows].sum(axis=1)
        orders, would = block.stage == ORDERED, block.without == ORDERED
        for row in rows[would[rows] & ~orders[rows] & (block.lost_to[rows] >= 0)].tolist():
            number = int(block.lost_to[row])
            self._lost[number] += 1
            self._lost_value[number] += block.value[row]
            later = rows[(rows > row) & (block.person[rows] == block.person[row])]
            self._recovered[number] += bool((orders[later] & ~would[later]).any())


def encode_line(record: TruthRecord) -> bytes:
    """One line of the file, with its newline."""
    return truth.encode(record) + b"\n"


def _segment(what: Incident | Confounder) -> dict[str, str]:
    return {name: value for name, value in msgspec.structs.asdict(what.segment).items() if value}
