"""The command `snag`."""

from __future__ import annotations

from typing import Final

import typer

from snag.cli import config, data, sdk, stack
from snag.cli.doctor import doctor

_EPILOG: Final = (
    "Exit codes: 0 done, 1 failed, 2 used wrongly, 3 the stack is not running. "
    "Data goes to stdout, everything else to stderr."
)


def create_cli() -> typer.Typer:
    """The command with all its subcommands."""
    app = typer.Typer(
        name="snag",
        help="Where your customers get stuck, why, and what it costs, while they are still there.",
        epilog=_EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    stack.register(app)
    data.register(app)
    app.command()(doctor)
    app.add_typer(config.app, name="config")
    app.add_typer(sdk.app, name="sdk")
    return app


def main() -> None:
    """Run the command line."""
    create_cli()()
