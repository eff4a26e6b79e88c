"""The commands that move data: in, out, and through queries."""

from __future__ import annotations

import typer

from snag.cli import funnel, import_log
from snag.cli.forget import forget
from snag.cli.rebuild import rebuild
from snag.cli.replay import replay
from snag.cli.score import score
from snag.cli.send import send
from snag.cli.simulate import simulate
from snag.cli.sql import sql
from snag.cli.tail import tail


def register(app: typer.Typer) -> None:
    """Add the data commands to `app`."""
    for command in (send, tail, sql, replay, simulate, score, forget, rebuild):
        app.command()(command)
    app.add_typer(funnel.app, name="funnel")
    app.add_typer(import_log.app, name="import")
