"""The state file of a running stack: what `snag status` shows and where the other commands find the parts."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec
import psutil

from schemas.settings import Settings

PartState = Literal["up", "starting", "down"]

_FILE_NAME: Final = "state.json"
_CREATED_TOLERANCE_S: Final = 1.0  # the kernel counts a start in clock ticks, psutil adds the boot time


class PartStatus(msgspec.Struct, kw_only=True):
    """One part. `created` (Unix seconds) tells its process from a later one of the same id; `last_exit` is a code."""

    name: str
    pid: int = 0
    created: float = 0.0
    state: PartState = "down"
    endpoint: str = ""
    restarts: int = 0
    last_exit: int | None = None


class StackState(msgspec.Struct, kw_only=True):
    """A stack. `ready` means: every part is up and a probe event went the whole way."""

    ready: bool
    collector: str
    clickhouse: str
    kafka: str
    data_dir: str
    pid: int
    created: float
    parts: list[PartStatus]

    def part(self, name: str) -> PartStatus | None:
        """The part called `name`."""
        return next((part for part in self.parts if part.name == name), None)


def state_file(data_dir: Path) -> Path:
    """Where the state of the stack in `data_dir` lies."""
    return data_dir / _FILE_NAME


def write_state(state: StackState) -> None:
    """Replace the state file in one step, so that a reader never sees half of one."""
    path = state_file(Path(state.data_dir))
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
    fresh.replace(path)


def load_state(data_dir: Path) -> StackState | None:
    """The state file's content, of a stack that runs or ran; None when there is none or it is unreadable."""
    try:
        return msgspec.json.decode(state_file(data_dir).read_bytes(), type=StackState)
    except (OSError, msgspec.DecodeError):
        return None


def read_state(settings: Settings) -> StackState | None:
    """The state of the stack that runs in the settings' data directory; None when none does."""
    state = load_state(settings.local.data_dir)
    return state if state is not None and is_process(state.pid, state.created) else None


def created_at(pid: int) -> float:
    """When process `pid` was started, Unix seconds; 0.0 when it is gone."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def is_process(pid: int, created: float) -> bool:
    """Whether process `pid` runs and is the one that was started at `created`, not a later one of the same id."""
    if not pid:
        return False
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < _CREATED_TOLERANCE_S and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
