"""Rows of a query for a terminal: a table, or, where that is too wide, one row below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_FEW_COLUMNS: Final = 4  # so few are read well in a table even when their cells wrap
_UNBOUNDED_CHARS: Final = 100_000
_NUMERIC: Final = ("Int", "Float", "Decimal")


def print_rows(console: Console, columns: Sequence[Mapping[str, str]], rows: Sequence[Sequence[Any]]) -> None:
    """Print `rows` of `columns` (name and type each, as ClickHouse's JSONCompact has them)."""
    table = Table()
    for column in columns:
        numeric = any(name in column["type"] for name in _NUMERIC)
        table.add_column(escape(column["name"]), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row))
    wanted = console.measure(table, options=console.options.update(width=_UNBOUNDED_CHARS)).maximum
    if wanted <= console.width or len(columns) <= _FEW_COLUMNS:
        console.print(table)
        return
    names = max(len(column["name"]) for column in columns)
    for number, row in enumerate(rows, 1):
        console.rule(f"row {number}", align="left", style="dim")
        for column, value in zip(columns, row, strict=True):
            line = f"{column['name']:<{names}}  {_cell(value)}".rstrip()
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _cell(value: object) -> str:
    """A value as text without control characters: it may come from anybody's browser."""
    if value is None:
        return "NULL"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
