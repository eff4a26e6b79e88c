"""The shop's traffic as the collector would get it: every visitor's events, encoded, in the order of arrival."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from snag.pacing import Delivery
from snag.simulator.block import Block, Blocks, Plan, delivery_draws
from snag.simulator.calibration import EVENTS_PER_VISITOR
from snag.simulator.moments import Ints
from snag.simulator.variants import PATHS, Templates

__all__ = ["Arrived", "Plan", "arrivals", "deliveries", "each", "paced"]

_LINGER_MS: Final = 50  # what comes due within this goes together; far below what a person can see
_TRAVEL_MAX_MS: Final = 200  # what a beacon needs from the browser to the collector
_AGAIN_MS: Final = (500, 30_000)
_SLICE_EVENTS: Final = 50_000
_SLICE_MS: Final = (1_000, 600_000)


@dataclass(frozen=True)
class Arrived:
    """Events in the order of arrival, columns of one length: arrival (Unix ms), encoded line, number of the
    variant, and the name of the visit: the visitor's id without its "v-", of later visits with a suffix.
    """

    at_ms: Ints
    lines: list[bytes]
    variants: list[int]
    names: list[bytes]

    def part(self, begin: int, end: int) -> Arrived:
        """The events from the one numbered `begin` to the one before `end`."""
        return Arrived(self.at_ms[begin:end], self.lines[begin:end], self.variants[begin:end], self.names[begin:end])

    def between(self, begin_ms: int, end_ms: int) -> Arrived:
        """Those that arrive from `begin_ms` on and before `end_ms` (Unix ms)."""
        begin, end = np.searchsorted(self.at_ms, (begin_ms, end_ms)).tolist()
        return self.part(begin, end)


@dataclass(frozen=True)
class _Piece:
    """Part of a block's events that arrive in one slice of time."""

    at_ms: Ints
    events: npt.NDArray[Any]
    block: Block


def deliveries(plan: Plan) -> Iterator[Delivery]:
    """Every event and repeat of `plan`, by arrival (Unix ms). Endless when the plan has no number of visitors."""
    for arrived in arrivals(plan):
        yield from each(arrived)


def each(arrived: Arrived) -> Iterator[Delivery]:
    """The events one by one."""
    return map(Delivery, arrived.at_ms.tolist(), arrived.lines)


def paced(
    slices: Iterable[Arrived], *, now_ms: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[Arrived]:
    """The events of `slices` in parts, none handed out before it is due. `sleep` takes seconds."""
    for arrived in slices:
        begin = 0
        while begin < len(arrived.lines):
            wait_ms = int(arrived.at_ms[begin]) + _LINGER_MS - now_ms()
            if wait_ms > 0:
                sleep(wait_ms / 1000)
            end = max(begin + 1, int(np.searchsorted(arrived.at_ms, now_ms(), side="right")))
            yield arrived.part(begin, end)
            begin = end


def arrivals(
    plan: Plan, *, as_kept: bool = False, on_block: Callable[[Block], None] | None = None
) -> Iterator[Arrived]:
    """The same in slices of time. `as_kept`: lines as the collector leaves them in Kafka, received when they arrive.

    `on_block` is called with each block before its first event is handed out.
    """
    blocks = Blocks(plan)
    templates = Templates(blocks.extra, as_kept=as_kept)
    slice_ms = int(
        min(max(_SLICE_EVENTS / (plan.visitors_per_s * EVENTS_PER_VISITOR) * 1000, _SLICE_MS[0]), _SLICE_MS[1])
    )
    waiting: dict[int, list[_Piece]] = {}
    number = 0
    while True:
        newest_ms, block = blocks.next()
        if block is None:
            break
        if on_block is not None:
            on_block(block)
        for index, piece in _pieces(plan, number, block, slice_ms):
            waiting.setdefault(index, []).append(piece)
        number += 1
        for index in sorted(index for index in waiting if (index + 1) * slice_ms <= newest_ms):
            yield _encode(waiting.pop(index), templates, as_kept=as_kept)
    for index in sorted(waiting):
        yield _encode(waiting.pop(index), templates, as_kept=as_kept)


def _pieces(plan: Plan, number: int, block: Block, slice_ms: int) -> Iterator[tuple[int, _Piece]]:
    """The block's events and repeats with their arrival, by slice of time."""
    rng, shop, events = delivery_draws(plan, number), plan.shop, block.events
    size = len(events)
    uniform = rng.random((4, size), np.float32)
    at = events["at_ms"] + (uniform[0] * _TRAVEL_MAX_MS).astype(np.int64)
    late = np.flatnonzero(uniform[1] < shop.late_rate)
    late_s = shop.late_s * np.exp(rng.standard_normal(size, np.float32)[late].astype(np.float64))
    at[late] += (1000 * np.minimum(shop.late_max_s, late_s)).astype(np.int64)
    twice = np.flatnonzero(uniform[2] < shop.duplicate_rate)
    again = at[twice] + _AGAIN_MS[0] + (uniform[3][twice] * _AGAIN_MS[1]).astype(np.int64)
    at, events = np.concatenate((at, again)), np.concatenate((events, events[twice]))
    made = block.person[events["visit"]] >= 0
    at, events = at[made], events[made]
    order = np.argsort(at, kind="stable")
    at, events = at[order], events[order]
    index = at // slice_ms
    edges = np.flatnonzero(np.diff(index)) + 1
    for begin, end in zip([0, *edges.tolist()], [*edges.tolist(), len(at)], strict=True):
        if end > begin:
            yield int(index[begin]), _Piece(at[begin:end], events[begin:end], block)


def _encode(pieces: list[_Piece], templates: Templates, *, as_kept: bool) -> Arrived:
    at = np.concatenate([piece.at_ms for piece in pieces])
    order = np.argsort(at, kind="stable")
    at = at[order]
    events = np.concatenate([piece.events for piece in pieces])[order]
    names = np.concatenate([piece.block.names[piece.events["visit"]] for piece in pieces])[order].tolist()
    tails = np.concatenate([piece.block.tails[piece.events["visit"]] for piece in pieces])[order].tolist()
    off = np.concatenate([piece.block.clock_off_ms[piece.events["visit"]] for piece in pieces])[order]
    variants = events["variant"].tolist()
    keys = (events["variant"].astype(np.int64) * len(PATHS) + events["path"]).tolist()
    numbers, stamps = events["number"].tolist(), _iso(events["at_ms"] + off)
    own = [
        template % (a, b) if numbered else template
        for (template, numbered), a, b in zip(
            map(templates.__getitem__, keys), events["a"].tolist(), events["b"].tolist(), strict=True
        )
    ]
    if as_kept:
        site = pieces[0].block.site.encode()
        head = b'{"event_id":"%b-%d","site":"' + site + b'","ts":"%bZ","client_ts":"%bZ","received_at":"%bZ",%b%b'
        lines = [head % row for row in zip(names, numbers, stamps, stamps, _iso(at), own, tails, strict=True)]
    else:
        lines = [
            b'{"event_id":"%b-%d","ts":"%bZ",%b%b' % row for row in zip(names, numbers, stamps, own, tails, strict=True)
        ]
    return Arrived(at, lines, variants, names)


def _iso(ms: Ints) -> list[bytes]:
    """ISO 8601 UTC with milliseconds, without the zone."""
    return np.datetime_as_string(ms.astype("datetime64[ms]")).astype("S23").tolist()  # type: ignore[no-any-return]
