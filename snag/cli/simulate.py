"""`snag simulate`: a shop's traffic, made up from published figures."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from snag.cli.failures import failures
from snag.cli.moments import parse_moment
from snag.cli.options import CollectorOption, JsonOption, WriteKeyOption

if TYPE_CHECKING:
    from schemas.settings import Settings
    from snag.simulator.block import Blocks, Plan
    from snag.simulator.incidents import Script
    from snag.simulator.stream import Arrived

_VISITORS: Final = 1000
_STDOUT: Final = Path("-")
_SPAN_S: Final = 3600.0  # without --rate and --days the visitors come within an hour
_WARM_UP_S: Final = 2700.0  # most visits are over within it: the shop is as full at the start as later
_DAY_S: Final = 86_400.0
_SEED_BITS: Final = 31
_NEVER_MS: Final = 1 << 62


def simulate(
    *,
    visitors: Annotated[
        int | None, typer.Option("--visitors", min=1, help="How many come; default 1000, with --rate without end.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.01, help="Live traffic of about so many events/s, by the clock.")
    ] = None,
    days: Annotated[
        float | None,
        typer.Option("--days", min=0.01, help="History of so many days, with nights, weekends, people who come again."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Same seed and start, same bytes; default random.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="TIME", help="First visitor's time; default: it ends now.")
    ] = None,
    incidents: Annotated[
        Path | None, typer.Option("--incidents", metavar="FILE", help="TOML of what breaks; see docs/simulator.md.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="Write what really happened, for `snag score`.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE|-", help="Write NDJSON instead of sending.")
    ] = None,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Straight to Kafka's topics, as if received when it happened.")
    ] = False,
    as_json: JsonOption = False,
    collector: CollectorOption = None,
    write_key: WriteKeyOption = None,
) -> None:
    """Make shop traffic: browsing, carts, checkouts left half-way, friction, errors, bots, late and repeated events.

    Without --rate it is history (an hour, or --days), sent or written as fast as it goes; with --rate it goes on live.
    """
    import orjson

    from schemas.settings import load_settings
    from snag.cli.sending import Tally, open_collector, progress, send_batches
    from snag.simulator.block import Blocks
    from snag.simulator.incidents import NOTHING, load_script
    from snag.simulator.stream import arrivals
    from snag.simulator.truth_file import truth_file

    if kafka and out is not None:
        raise typer.BadParameter("--out writes a file, --kafka sends: leave one of them out.")
    live = rate is not None and not (out or start or days)
    if live and truth is not None:
        raise typer.BadParameter("--truth is of a run that ends: leave out --rate, or add --days or --start.")
    settings = load_settings()
    tally = Tally()
    with failures():
        script = NOTHING if incidents is None else load_script(incidents)
        seed = secrets.randbits(_SEED_BITS) if seed is None else seed
        run = _run(visitors, rate, days, start, seed=seed, script=script, live=live)
        typer.echo(f"seed {seed}" + ("; Ctrl-C stops" if run.live else ""), err=True)
        with truth_file(truth, run.plan, run.end_ms) as on_block, progress("simulating", None) as advance:
            slices = run.within(arrivals(run.plan, as_kept=kafka, on_block=on_block))

            def counted() -> Iterator[Arrived]:
                for arrived in slices:
                    yield arrived
                    advance(len(arrived.lines))
                    tally.accepted += len(arrived.lines)

            try:
                if out is not None:
                    _write(counted(), out)
                elif kafka:
                    _produce(counted(), settings, Blocks(run.plan), live=run.live)
                else:
                    with open_collector(settings, collector, write_key) as target:
                        send_batches(target, _batches(slices, settings, live=run.live), tally, advance)
            except KeyboardInterrupt:
                if not run.live:
                    raise
    if as_json:
        counts = {"events": tally.accepted} if out is not None else tally.as_dict()
        typer.echo(orjson.dumps({**counts, "seed": seed}), err=out == _STDOUT)
    elif out is not None:
        typer.echo(f"wrote {tally.accepted} events", err=out == _STDOUT)
    else:
        typer.echo(f"accepted {tally.accepted}, rejected {tally.rejected}")
    tally.finish()


@dataclass(frozen=True)
class _Run:
    """A plan and the part of it that is wanted: arrivals from `begin_ms` on and before `end_ms` (Unix ms)."""

    plan: Plan
    live: bool
    begin_ms: int = 0
    end_ms: int | None = None

    def within(self, slices: Iterable[Arrived]) -> Iterator[Arrived]:
        end_ms = _NEVER_MS if self.end_ms is None else self.end_ms
        for arrived in slices:
            if arrived.at_ms[0] >= end_ms:
                return
            yield arrived.between(self.begin_ms, end_ms)


def _run(
    visitors: int | None,
    rate: float | None,
    days: float | None,
    start: str | None,
    *,
    seed: int,
    script: Script,
    live: bool,
) -> _Run:
    """The run asked for. Live and ending-now traffic is cut at the present: some visitors are still there."""
    from snag.simulator.block import Plan
    from snag.simulator.calibration import EVENTS_PER_VISITOR

    now_ms = round(time.time() * 1000)
    per_s = None if rate is None else rate / EVENTS_PER_VISITOR
    if live and per_s is not None:
        already_there = round(per_s * _WARM_UP_S)
        start_ms = now_ms - round(1000 * _WARM_UP_S)
        count = None if visitors is None else visitors + already_there
        return _Run(Plan(seed, start_ms, count, per_s, script=script), live=True, begin_ms=now_ms)
    span_s = _SPAN_S if days is None else days * _DAY_S
    count = visitors or (_VISITORS if days is None or per_s is None else None)
    if per_s is None:
        per_s = (count or _VISITORS) / span_s
    elif days is None:
        span_s = (count or _VISITORS) / per_s
    start_ms = now_ms - round(1000 * span_s) if start is None else round(parse_moment(start).timestamp() * 1000)
    until_ms = None if days is None else start_ms + round(1000 * span_s)
    plan = Plan(seed, start_ms, count, per_s, swings=days is not None, until_ms=until_ms, script=script)
    return _Run(plan, live=False, end_ms=now_ms if start is None else None)


def _write(slices: Iterable[Arrived], out: Path) -> None:
    with nullcontext(sys.stdout.buffer) if out == _STDOUT else out.open("wb") as file:
        for arrived in slices:
            if arrived.lines:
                file.write(b"\n".join(arrived.lines) + b"\n")


def _produce(slices: Iterable[Arrived], settings: Settings, blocks: Blocks, *, live: bool) -> None:
    from snag.addresses import find_kafka
    from snag.simulator.output import KafkaOutput
    from snag.simulator.stream import paced
    from snag.simulator.variants import Templates

    output = KafkaOutput(find_kafka(settings), settings.kafka.topic_prefix, Templates(blocks.extra))
    try:
        for arrived in paced(slices, now_ms=_now_ms, sleep=time.sleep) if live else slices:
            output.send(arrived)
    finally:
        output.flush()


def _batches(slices: Iterable[Arrived], settings: Settings, *, live: bool) -> Iterator[list[bytes]]:
    from snag.cli.sending import batch_limits
    from snag.ndjson import batches
    from snag.pacing import paced_batches
    from snag.simulator.stream import each

    limits = batch_limits(settings)
    if live:
        return paced_batches(chain.from_iterable(map(each, slices)), now_ms=_now_ms, sleep=time.sleep, **limits)
    return batches(chain.from_iterable(arrived.lines for arrived in slices), **limits)


def _now_ms() -> float:
    return time.time() * 1000
