"""`snag sql`: one query to ClickHouse."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from snag.cli.failures import failures
from snag.cli.options import ClickHouseOption, JsonOption

if TYPE_CHECKING:
    from schemas.settings import Settings
    from snag.clickhouse import ClickHouse

_STDIN: Final = "-"
_NO_ROWS: Final = b'{"data":[]}\n'


def sql(
    query: Annotated[
        str, typer.Argument(metavar="QUERY|-", help="SQL in ClickHouse's dialect; - reads it from stdin.")
    ],
    *,
    as_json: JsonOption = False,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Run a query: a table on a terminal, tab-separated values in a pipe, an object with "data" as JSON.

    A FORMAT clause in the query wins. Tables and views are listed by: snag sql "SHOW TABLES"
    """
    from schemas.settings import load_settings

    text = sys.stdin.read() if query == _STDIN else query
    with failures():
        engine = open_clickhouse(load_settings(), clickhouse)
        if as_json:
            _stream(engine, text, "JSON", if_empty=_NO_ROWS)
        elif sys.stdout.isatty():
            _table(engine, text)
        else:
            _stream(engine, text, "TabSeparated")


def open_clickhouse(settings: Settings, url: str | None) -> ClickHouse:
    """ClickHouse of the running stack (or at `url`), with the database and user of `settings`."""
    from snag.addresses import find_clickhouse
    from snag.clickhouse import ClickHouse

    wanted = settings.clickhouse
    return ClickHouse(
        find_clickhouse(settings, url),
        database=wanted.database,
        user=wanted.user,
        password=wanted.password.get_secret_value(),
    )


def _stream(engine: ClickHouse, text: str, default_format: str, if_empty: bytes = b"") -> None:
    empty = True
    for chunk in engine.query(text, default_format=default_format).chunks():
        empty = False
        sys.stdout.buffer.write(chunk)
    if empty:
        sys.stdout.buffer.write(if_empty)


def _table(engine: ClickHouse, text: str) -> None:
    import orjson
    from rich.console import Console

    from snag.result_table import print_rows

    answer = engine.query(text, default_format="JSONCompact")
    body = answer.read()
    if answer.format != "JSONCompact" or not body:
        sys.stdout.buffer.write(body)
        return
    found = orjson.loads(body)
    print_rows(Console(), found["meta"], found["data"])
    count = len(found["data"])
    typer.echo(f"{count:,} row{'' if count == 1 else 's'}", err=True)
