"""`snag replay`: a recorded stream once more."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Annotated

import typer

from snag.cli.failures import failures
from snag.cli.options import CollectorOption, JsonOption, WriteKeyOption


def replay(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="NDJSON, plain or gzipped, as `snag tail --json` writes.")
    ],
    *,
    speed: Annotated[
        float | None, typer.Option("--speed", min=1.0, help="So many times as fast as it was recorded; default 1.")
    ] = None,
    keep_times: Annotated[
        bool, typer.Option("--keep-times", help="Import it as the history it is, as fast as it goes.")
    ] = False,
    as_json: JsonOption = False,
    collector: CollectorOption = None,
    write_key: WriteKeyOption = None,
) -> None:
    """Send a recorded stream again with its own timing, moved so that it ends now.

    Gaps, lateness and disorder stay; events get new ids, so each replay adds its events. With --keep-times neither
    times nor ids change: importing twice adds nothing.
    """
    import orjson

    from schemas.settings import load_settings
    from snag.cli.sending import Tally, batch_limits, open_collector, progress, send_batches
    from snag.ndjson import STDIN, batches, read_lines
    from snag.pacing import paced_batches
    from snag.replay import as_history, shifted, survey

    if keep_times and speed is not None:
        raise typer.BadParameter("--keep-times imports as fast as it goes: leave out --speed.")
    if file == STDIN:
        raise typer.BadParameter("a replay reads its file twice, first for the span of time: give a file, not a pipe.")
    settings = load_settings()
    limits = batch_limits(settings)
    tally = Tally()
    with failures():
        recording = survey(read_lines(file))
        for number in recording.unreadable:
            typer.echo(f"line {number} is no JSON object: left out", err=True)

        def planned() -> Iterator[list[bytes]]:
            if keep_times:
                return batches(as_history(read_lines(file)), **limits)
            deliveries = shifted(
                read_lines(file),
                recording,
                start_ms=round(time.time() * 1000),
                speed=speed or 1.0,
                run=uuid.uuid4().hex,
            )
            return paced_batches(deliveries, now_ms=lambda: time.time() * 1000, sleep=time.sleep, **limits)

        with (
            open_collector(settings, collector, write_key) as target,
            progress("replaying", recording.events) as advance,
        ):
            send_batches(target, planned(), tally, advance)
    if as_json:
        typer.echo(orjson.dumps({**tally.as_dict(), "unreadable": len(recording.unreadable)}))
    else:
        typer.echo(f"accepted {tally.accepted}, rejected {tally.rejected}, unreadable {len(recording.unreadable)}")
    tally.finish()
    if recording.unreadable:
        raise typer.Exit(1)
