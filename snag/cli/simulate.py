"""`snag simulate`: a shop's traffic, made up from published figures."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from snag.cli.failures import failures
from snag.cli.moments import parse_moment
from snag.cli.options import CollectorOption, JsonOption, WriteKeyOption

if TYPE_CHECKING:
    from snag.pacing import Delivery

_VISITORS: Final = 1000
_SPAN_S: Final = 3600.0  # without --rate the visitors come within an hour
_WARM_UP_S: Final = 2700.0  # most visits are over within it: the shop is as full at the start as later
_SEED_BITS: Final = 31


def simulate(
    *,
    visitors: Annotated[
        int | None, typer.Option("--visitors", min=1, help="How many come; default 1000, with --rate without end.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.01, help="Live traffic of about so many events/s, by the clock.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Same seed and start, same bytes; default random.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="TIME", help="First visitor's time; default: it ends now.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write NDJSON instead of sending.")] = None,
    as_json: JsonOption = False,
    collector: CollectorOption = None,
    write_key: WriteKeyOption = None,
) -> None:
    """Make shop traffic: browsing, carts, checkouts left half-way, friction, errors, bots, late and repeated events.

    Without --rate it is an hour of history, sent (or written) as fast as it goes; with --rate it goes on live.
    """
    import orjson

    from schemas.settings import load_settings
    from snag.cli.sending import Tally, batch_limits, open_collector, progress, send_batches
    from snag.ndjson import batches
    from snag.pacing import paced_batches

    settings = load_settings()
    seed = secrets.randbits(_SEED_BITS) if seed is None else seed
    live = rate is not None and out is None and start is None
    deliveries = _traffic(visitors, rate, seed, start, live=live)
    typer.echo(f"seed {seed}" + ("; Ctrl-C stops" if live else ""), err=True)
    tally = Tally()
    if out is not None:
        with failures(), progress("writing", None) as advance, out.open("wb") as file:
            for batch in batches((d.line for d in deliveries), **batch_limits(settings)):
                file.write(b"\n".join(batch) + b"\n")
                tally.accepted += len(batch)
                advance(len(batch))
        typer.echo(
            orjson.dumps({"events": tally.accepted, "seed": seed}) if as_json else f"wrote {tally.accepted} events"
        )
        return
    with failures(), open_collector(settings, collector, write_key) as target, progress("sending", None) as advance:
        limits = batch_limits(settings)
        try:
            if live:
                planned = paced_batches(deliveries, now_ms=lambda: time.time() * 1000, sleep=time.sleep, **limits)
            else:
                planned = batches((d.line for d in deliveries), **limits)
            send_batches(target, planned, tally, advance)
        except KeyboardInterrupt:
            if not live:
                raise
    if as_json:
        typer.echo(orjson.dumps({**tally.as_dict(), "seed": seed}))
    else:
        typer.echo(f"accepted {tally.accepted}, rejected {tally.rejected}")
    tally.finish()


def _traffic(
    visitors: int | None, rate: float | None, seed: int, start: str | None, *, live: bool
) -> Iterator[Delivery]:
    """The deliveries asked for. Live and ending-now traffic is cut at the present: some visitors are still there."""
    from snag.simulator.calibration import EVENTS_PER_VISITOR
    from snag.simulator.stream import Plan, deliveries

    now_ms = round(time.time() * 1000)
    if live and rate is not None:
        per_s = rate / EVENTS_PER_VISITOR
        already_there = round(per_s * _WARM_UP_S)
        plan = Plan(
            seed=seed,
            start_ms=now_ms - round(1000 * _WARM_UP_S),
            visitors=None if visitors is None else visitors + already_there,
            visitors_per_s=per_s,
        )
        return dropwhile(lambda delivery: delivery.at_ms < now_ms, deliveries(plan))
    count = visitors or _VISITORS
    per_s = count / _SPAN_S if rate is None else rate / EVENTS_PER_VISITOR
    if start is not None:
        return deliveries(Plan(seed, round(parse_moment(start).timestamp() * 1000), count, per_s))
    started_ms = now_ms - round(1000 * count / per_s)
    return takewhile(lambda delivery: delivery.at_ms <= now_ms, deliveries(Plan(seed, started_ms, count, per_s)))
