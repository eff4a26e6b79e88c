"""How a command ends: 0 done, 1 failed, 2 used wrongly (typer's own), 3 the stack is not running."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import typer

from snag.errors import PartUnreachable, SnagError

FAILED: Final = 1
NOT_RUNNING: Final = 3


@contextmanager
def failures() -> Iterator[None]:
    """Turns known failures into a message on stderr and an exit code; a reader that went away (`| head`) is none."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        raise typer.Exit from None
    except PartUnreachable as error:
        _end(f"{error} Start it with: snag up", NOT_RUNNING)
    except OSError as error:
        _end(f"{error.filename}: {error.strerror}" if error.filename else str(error), FAILED)
    except SnagError as error:
        _end(str(error), FAILED)


def is_configuration_error(error: ValueError) -> bool:
    """Whether `error` is about a setting, a funnel or a rule that the user gave; its text is meant for them."""
    from schemas.alert_rule import AlertRuleError  # noqa: PLC0415  not needed by `snag --help`
    from schemas.funnel import FunnelError  # noqa: PLC0415  likewise
    from schemas.rules import RuleError  # noqa: PLC0415  likewise
    from schemas.settings import SettingsError  # noqa: PLC0415  likewise

    return isinstance(error, SettingsError | FunnelError | RuleError | AlertRuleError)


def _end(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
