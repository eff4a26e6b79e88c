"""`snag score`: how right the running stack is about simulated traffic."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snag.cli.failures import failures
from snag.cli.options import ClickHouseOption, JsonOption


def score(
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="As `snag simulate --truth` wrote it.")],
    *,
    as_json: JsonOption = False,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Compare sessions, checkout attempts, friction and alerts with the truth of a simulated run.

    Precision: of what the stack says, the share that is so. Recall: of what is so, the share that it says.
    """
    import orjson
    from rich.console import Console

    from schemas.settings import load_settings
    from snag.cli.sql import open_clickhouse
    from snag.simulator.score.compare import compare
    from snag.simulator.score.document import as_document
    from snag.simulator.score.found import ask
    from snag.simulator.score.table import print_score
    from snag.simulator.score.told import read_truth

    with failures():
        told = read_truth(truth)
        found = compare(told, ask(open_clickhouse(load_settings(), clickhouse), told))
    if as_json:
        typer.echo(orjson.dumps(as_document(found)))
    else:
        print_score(Console(), found)
