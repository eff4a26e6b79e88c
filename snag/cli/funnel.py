"""`snag funnel`: where people leave."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from snag.cli.failures import failures
from snag.cli.moments import parse_span
from snag.cli.options import ClickHouseOption, JsonOption

app = typer.Typer(help="Funnels: which there are, and where people leave them.", no_args_is_help=True)

_QUERY: Final = (
    "SELECT * FROM v_funnel(funnel = {funnel:String}, from = {from:DateTime('UTC')}, to = {to:DateTime('UTC')})"
)
_QUERY_BY: Final = (
    "SELECT * FROM v_funnel_by(funnel = {funnel:String}, from = {from:DateTime('UTC')}, to = {to:DateTime('UTC')}, "
    "by = {by:String})"
)
_PIPE_WIDTH_CHARS: Final = 80


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The funnel's name; see: snag funnel list")],
    *,
    since: Annotated[str, typer.Option("--since", help="How far back attempts may have started: 15m, 1h, 7d.")] = "1h",
    by: Annotated[
        str,
        typer.Option("--by", help="Draw one funnel per device, browser, os, country, release, currency or property."),
    ] = "",
    as_json: JsonOption = False,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Draw a funnel: who entered each step, went on, dropped out, what that cost, and why. Bots are left out."""
    import orjson

    from schemas.funnel import DIMENSIONS, load_funnels
    from schemas.settings import load_settings
    from snag.cli.sql import open_clickhouse
    from snag.funnel_chart import funnel_chart

    span = parse_span(since)
    settings = load_settings()
    known = {funnel.name: funnel for funnel in load_funnels(settings.funnels_root())}
    if name not in known:
        raise typer.BadParameter(f"there is no funnel {name!r}. Defined: {', '.join(known)}.")
    dimensions = (*DIMENSIONS, *known[name].breakdown)
    if by and by not in dimensions:
        raise typer.BadParameter(
            f"funnel {name!r} has no dimension {by!r}. Known: {', '.join(dimensions)}. "
            "Others: name the property in the funnel's `breakdown`."
        )
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)  # the second that has begun counts
    start = until - span
    with failures():
        parameters = {"funnel": name, "from": f"{start:%F %T}", "to": f"{until:%F %T}"}
        client = open_clickhouse(settings, clickhouse)
        rows = client.rows(_QUERY_BY, {**parameters, "by": by}) if by else client.rows(_QUERY, parameters)
        if as_json:
            shown = {"funnel": name, "by": by, "from": f"{start:%FT%TZ}", "to": f"{until:%FT%TZ}", "data": rows}
            typer.echo(orjson.dumps(shown))
            return
        width_chars = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH_CHARS
        typer.echo(f"{name}: attempts started since {start:%F %T} UTC")
        for line in funnel_chart(rows, width_chars):
            typer.echo(line)


@app.command("list")
def list_funnels(*, as_json: JsonOption = False) -> None:
    """List the funnels that are defined, with their steps."""
    import msgspec

    from schemas.funnel import load_funnels
    from schemas.settings import load_settings

    funnels = load_funnels(load_settings().funnels_root())
    if as_json:
        typer.echo(msgspec.json.encode({"data": funnels}))
        return
    for funnel in funnels:
        typer.echo(f"{funnel.name} (version {funnel.version}): {' -> '.join(step.name for step in funnel.steps)}")
