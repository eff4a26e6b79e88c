"""`snag import`: what other tools wrote, as events."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from snag.cli.failures import FAILED, failures
from snag.cli.options import CollectorOption, JsonOption, WriteKeyOption

if TYPE_CHECKING:
    from snag.accesslog.importer import Summary

app = typer.Typer(help="Import what other tools wrote.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Import what other tools wrote."""  # a group even while it has one command


@app.command("access-log")
def access_log(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The log, plain or gzipped; - is standard input.")],
    *,
    as_json: JsonOption = False,
    collector: CollectorOption = None,
    write_key: WriteKeyOption = None,
) -> None:
    """Import a web server's access log as history: Apache's and nginx's combined format, or this project's NDJSON.

    Pages count as page views, answers from 400 on as errors; static files, redirects and other methods are neither, yet
    belong to the session. Visitors are told apart by a keyed hash of address and user agent; no address is sent. Bots
    are flagged. Importing a log again adds nothing.
    """
    import orjson

    from schemas.settings import load_settings
    from snag.accesslog.importer import Summary, bot_detector, read_events
    from snag.accesslog.visitors import visitor_key
    from snag.cli.sending import Tally, batch_limits, open_collector, progress, send_batches
    from snag.ndjson import batches, read_lines

    settings = load_settings()
    summary = Summary()
    tally = Tally()
    with (
        failures(),
        open_collector(settings, collector, write_key) as target,
        progress("importing", None) as advance,
    ):
        key = visitor_key(settings.local.data_dir)
        events = read_events(read_lines(file), summary, key=key, is_bot=bot_detector())
        send_batches(target, batches(events, **batch_limits(settings)), tally, advance)
    if as_json:
        typer.echo(orjson.dumps({**summary.as_dict(), **tally.as_dict()}))
    else:
        for line in _readable(summary, tally.as_dict()):
            typer.echo(line)
    tally.finish()
    if summary.unparsable_lines:
        raise typer.Exit(FAILED)


def _readable(summary: Summary, verdicts: dict[str, Any]) -> list[str]:
    counts = summary.as_dict()
    statuses = ", ".join(f"{status}: {n:,}" for status, n in counts["errors_by_status"].items())
    lines = [
        f"lines read      {summary.lines:>9,}",
        f"page views      {summary.page_views:>9,}",
        f"errors          {counts['errors']:>9,}" + (f"  ({statuses})" if statuses else ""),
        f"other requests  {summary.other_requests:>9,}  (static files, redirects, other methods)",
        f"visitors        {len(summary.visitors):>9,}",
        f"bots            {len(summary.bots):>9,}  ({summary.bot_requests:,} requests)",
        f"accepted        {verdicts['accepted']:>9,}",
        f"rejected        {verdicts['rejected']:>9,}",
        f"unparsable      {summary.unparsable_lines:>9,}",
    ]
    lines += [f"  line {number}: {reason}" for number, reason in summary.unparsable]
    if summary.unparsable_lines > len(summary.unparsable):
        lines.append(f"  ... and {summary.unparsable_lines - len(summary.unparsable)} more")
    return lines
