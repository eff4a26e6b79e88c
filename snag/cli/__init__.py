"""The command `snag`."""

from __future__ import annotations

from typing import Any, Final

import typer
from typer.core import TyperGroup

from snag.cli import config, data, demo, quarantine, sdk, stack
from snag.cli.doctor import doctor
from snag.cli.failures import is_configuration_error

_EPILOG: Final = (
    "Exit codes: 0 done, 1 failed, 2 used wrongly, 3 the stack is not running. "
    "Data goes to stdout, everything else to stderr."
)


class _Root(TyperGroup):
    """The command's root: a configuration that cannot be used is told as wrong use, not as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except ValueError as error:
            if not is_configuration_error(error):
                raise
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from None


def create_cli() -> typer.Typer:
    """The command with all its subcommands."""
    app = typer.Typer(
        name="snag",
        cls=_Root,
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
    app.add_typer(demo.app, name="demo")
    app.add_typer(quarantine.app, name="quarantine")
    return app


def main() -> None:
    """Run the command line."""
    create_cli()()
