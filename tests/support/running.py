"""A whole running stack for tests: `snag up --detach` in a directory of the test's own, on ports of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.support.ports import free_port

UP_DEADLINE_S = 240
COMMAND_DEADLINE_S = 120
SNAG = Path(sys.executable).with_name("snag")


class RunningStack:
    """A stack in `directory`. `env` reaches every command and every part."""

    def __init__(self, directory: Path, env: Mapping[str, str]) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.env = {**os.environ, "SNAG_LOCAL__DATA_DIR": str(self.data_dir), "COLUMNS": "160", **env}

    def snag(self, *arguments: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of `snag` beside the stack; with `check`, one that fails fails the test with what it said."""
        done = subprocess.run(
            [str(SNAG), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_DEADLINE_S,
            cwd=self.directory,
            env=self.env,
            check=False,
        )
        assert not check or done.returncode == 0, f"snag {' '.join(arguments)}: {done.returncode}\n{done.stderr}"
        return done

    def status(self) -> dict[str, Any]:
        """What `snag status --json` says."""
        found: dict[str, Any] = orjson.loads(self.snag("status", "--json", check=False).stdout)
        return found

    def part(self, name: str) -> dict[str, Any]:
        """The status of one part."""
        return next(part for part in self.status()["parts"] if part["name"] == name)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query, by `snag sql --json`."""
        rows: list[dict[str, Any]] = orjson.loads(self.snag("sql", sql, "--json").stdout)["data"]
        return rows

    def log(self, part: str) -> str:
        """A part's log."""
        return (self.data_dir / "logs" / f"{part}.log").read_text(errors="replace")


@contextmanager
def running_stack(directory: Path, *, live_workers: int = 1, **env: str) -> Iterator[RunningStack]:
    """Start a stack and wait until it is ready; stopped at the end. `env` are further settings (SNAG_...)."""
    directory.mkdir(parents=True, exist_ok=True)
    stack = RunningStack(directory, env)
    port, workers = str(free_port()), str(live_workers)
    started = subprocess.run(
        [str(SNAG), "up", "--detach", "--port", port, "--live-workers", workers],
        capture_output=True,
        text=True,
        timeout=UP_DEADLINE_S,
        cwd=directory,
        env=stack.env,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    try:
        yield stack
    finally:
        stack.snag("down")
