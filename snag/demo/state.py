"""The running demo as other commands find it: a file beside the stack's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from deploy.local.state import is_process
from snag.demo.switches import Switches

_FOLDER: Final = "demo"


class DemoState(msgspec.Struct, kw_only=True):
    """The process, the shop's address, and whether the process started the stack and so ends it too."""

    pid: int
    created: float
    address: str
    ready: bool
    owns_stack: bool
    customers_per_s: float


def switches_of(data_dir: Path) -> Switches:
    """What is broken in the shop of `data_dir`."""
    return Switches(data_dir / _FOLDER / "broken.json")


def write_state(data_dir: Path, state: DemoState) -> None:
    """Replace the file in one step."""
    path = _file(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(state))
    fresh.replace(path)


def read_state(data_dir: Path) -> DemoState | None:
    """The demo that runs; None when none does."""
    try:
        state = msgspec.json.decode(_file(data_dir).read_bytes(), type=DemoState)
    except (OSError, msgspec.DecodeError):
        return None
    return state if is_process(state.pid, state.created) else None


def drop_state(data_dir: Path) -> None:
    """The demo has ended."""
    _file(data_dir).unlink(missing_ok=True)


def _file(data_dir: Path) -> Path:
    return data_dir / _FOLDER / "state.json"
