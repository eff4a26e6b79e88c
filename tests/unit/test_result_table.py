"""Query results on a terminal: readable at any width, whatever the cells hold."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from snag.result_table import print_rows


def printed(columns: dict[str, str], *rows: list[Any], width: int = 80) -> str:
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=False)
    print_rows(console, [{"name": name, "type": type_} for name, type_ in columns.items()], rows)
    return out.getvalue()


def test_a_narrow_result_is_a_table() -> None:
    shown = printed({"page": "String", "n": "UInt64"}, ["/cart", 7], [None, 12])
    assert "│ /cart │  7 │" in shown
    assert "│ NULL  │ 12 │" in shown


def test_a_wide_result_is_one_row_below_the_other() -> None:
    columns = {f"column_{i}": "String" for i in range(20)}
    shown = printed(columns, [f"value {i}" for i in range(20)], ["x"] * 20)
    assert "│" not in shown
    lines = shown.splitlines()
    assert lines[0].startswith("row 1 ")
    assert lines[1:21] == [f"{name:<9}  value {i}" for i, name in enumerate(columns)]
    assert lines[21].startswith("row 2 ")
    assert "│" in printed(columns, ["x"] * 20, width=400)


def test_few_columns_stay_a_table_however_long() -> None:
    shown = printed({"query": "String"}, ["word " * 100])
    assert shown.count("│") > 10
    assert max(map(len, shown.splitlines())) <= 80


def test_cells_from_outside_are_text_only() -> None:
    shown = printed({"title": "String", "tags": "Array(String)"}, ["\x1b[31mred\x07 [bold]x[/]", ["a", "b"]])
    assert "\x1b" not in shown
    assert "�[31mred� [bold]x[/]" in shown
    assert '["a","b"]' in shown


def test_no_rows_are_a_head_alone() -> None:
    assert "n" in printed({"n": "UInt8"})
