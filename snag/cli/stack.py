"""The commands for the local stack: up, down, restart, logs, status."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from snag.cli.failures import FAILED, NOT_RUNNING
from snag.cli.options import JsonOption

_UP_DEADLINE_S: Final = 240.0  # a first start also fetches Kafka
_DOWN_DEADLINE_S: Final = 90.0  # the parts' own stop times, one after the other
_RESTART_DEADLINE_S: Final = 90.0
_INTERVAL_S: Final = 0.1
_CPU_SAMPLE_S: Final = 0.5

DataDirOption = Annotated[Path | None, typer.Option("--data-dir", help="Where the stack keeps its data. [.snag]")]


def register(app: typer.Typer) -> None:
    """Add the stack's commands to `app`."""
    for command in (up, down, restart, logs, status):
        app.command()(command)


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when ready; the stack stays.")] = False,
    data_dir: DataDirOption = None,
    port: Annotated[int | None, typer.Option(help="The collector's port. [8080]")] = None,
    live_workers: Annotated[int | None, typer.Option(min=1, help="Number of live workers. [1]")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Recompute derived rows first: see snag rebuild.")] = False,
) -> None:
    """Start Kafka, ClickHouse, collector, writer and live workers; Ctrl-C stops them."""
    from deploy.local.kafka.broker import BrokerError  # noqa: PLC0415  only `up` needs it
    from deploy.local.kafka.jars import JarsError  # noqa: PLC0415  likewise
    from deploy.local.supervisor import StackError, Supervisor  # noqa: PLC0415  likewise
    from snag.cli.progress import Progress  # noqa: PLC0415  likewise

    settings = _settings(data_dir, port)
    where = settings.local.data_dir.absolute()
    if detach:
        _up_detached(where, port, live_workers, rebuild)
        return
    workers = live_workers or settings.local.live_workers
    supervisor = Supervisor(settings, where, workers, Progress(), rebuild=rebuild)
    try:
        asyncio.run(supervisor.run())
    except (StackError, BrokerError, JarsError) as error:
        _fail(str(error), FAILED)


def _up_detached(where: Path, port: int | None, live_workers: int | None, rebuild: bool) -> None:
    command = [sys.executable, "-c", "from snag.cli import main; main()", "up", "--data-dir", str(where)]
    command += ["--port", str(port)] if port is not None else []
    command += ["--live-workers", str(live_workers)] if live_workers is not None else []
    command += ["--rebuild"] if rebuild else []
    (where / "logs").mkdir(parents=True, exist_ok=True)
    log = where / "logs" / "supervisor.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    deadline = time.monotonic() + _UP_DEADLINE_S
    while time.monotonic() < deadline:
        state = _state(where)
        if state is not None and state.ready and state.pid == process.pid:
            typer.echo(log.read_text(), err=True, nl=False)
            return
        if process.poll() is not None:
            _fail(log.read_text().strip(), FAILED)
        time.sleep(_INTERVAL_S)
    _fail(f"Not ready after {_UP_DEADLINE_S:.0f} s. See {log}, or: snag logs PART", FAILED)


def down(data_dir: DataDirOption = None) -> None:
    """Stop the stack; returns when everything is down."""
    state = _running(data_dir)
    os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_DEADLINE_S
    from deploy.local.state import is_process  # noqa: PLC0415  psutil is not needed by `snag --help`

    while is_process(state.pid, state.created):
        if time.monotonic() > deadline:
            _fail(f"The supervisor (process {state.pid}) still runs after {_DOWN_DEADLINE_S:.0f} s.", FAILED)
        time.sleep(_INTERVAL_S)
    typer.echo("stopped", err=True)


def restart(
    part: Annotated[str, typer.Argument(help="kafka, clickhouse, collector, writer, live, live-2, ..")],
    data_dir: DataDirOption = None,
) -> None:
    """Restart one part; returns when it is up again."""
    state = _running(data_dir)
    before = state.part(part)
    if before is None:
        _fail(f"No part {part!r}. Parts: {', '.join(p.name for p in state.parts)}.", 2)
    (Path(state.data_dir) / f"restart-{part}").touch()
    os.kill(before.pid, signal.SIGTERM)
    deadline = time.monotonic() + _RESTART_DEADLINE_S
    while time.monotonic() < deadline:
        now = _running(data_dir).part(part)
        if now is not None and now.pid != before.pid and now.state == "up":
            typer.echo(f"{part} is up again, process {now.pid}", err=True)
            return
        time.sleep(_INTERVAL_S)
    _fail(f"{part} did not come up within {_RESTART_DEADLINE_S:.0f} s. See: snag logs {part}", FAILED)


def logs(
    part: Annotated[str, typer.Argument(help="A part's name, or topics, migrations, supervisor.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what is added.")] = False,
    lines: Annotated[int, typer.Option("-n", min=0, help="How many of the last lines.")] = 50,
    data_dir: DataDirOption = None,
) -> None:
    """Print a part's log, of a running stack or of one that ended."""
    folder = _settings(data_dir).local.data_dir / "logs"
    path = folder / f"{part}.log"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.log"))) or "none yet; start the stack with: snag up"
        _fail(f"No log of {part!r} in {folder}. There are: {known}", FAILED)
    with path.open(errors="replace") as file:
        for line in deque(file, lines):
            typer.echo(line, nl=False)
        while follow:
            line = file.readline()
            if line:
                typer.echo(line, nl=False)
            else:
                time.sleep(_INTERVAL_S)


def status(as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Show the stack: addresses, parts, their memory and CPU. Exit code 3 when it does not run."""
    import orjson  # noqa: PLC0415  not needed by `snag --help`

    settings = _settings(data_dir)
    state = _state(settings.local.data_dir.absolute())
    if state is None:
        if as_json:
            where = str(settings.local.data_dir.absolute())
            empty = {"ready": False, "collector": "", "clickhouse": "", "kafka": "", "data_dir": where, "parts": []}
            typer.echo(orjson.dumps(empty, option=orjson.OPT_INDENT_2).decode())
        _fail("The stack is not running. Start it with: snag up", NOT_RUNNING)
    usage = _usage([state.pid, *(part.pid for part in state.parts)])
    parts = [
        {
            "name": part.name,
            "pid": part.pid,
            "state": part.state,
            "endpoint": part.endpoint,
            "restarts": part.restarts,
            **usage[part.pid],
        }
        for part in state.parts
    ]
    if as_json:
        shown = {
            "ready": state.ready,
            "collector": state.collector,
            "clickhouse": state.clickhouse,
            "kafka": state.kafka,
            "data_dir": state.data_dir,
            "parts": parts,
            "supervisor": {"pid": state.pid, **usage[state.pid]},
        }
        typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
        return
    own = {"name": "supervisor", "pid": state.pid, "state": "up", "endpoint": "", "restarts": 0, **usage[state.pid]}
    _print_status(state.ready, [*parts, own])


def _print_status(ready: bool, parts: list[dict[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415  not needed by `snag --help`
    from rich.table import Table  # noqa: PLC0415  likewise

    table = Table("part", "state", box=None)
    for name in ("process", "restarts", "memory", "CPU"):
        table.add_column(name, justify="right")
    table.add_column("endpoint")
    for part in parts:
        memory, cpu = f"{part['rss_bytes'] / 2**20:.0f} MB", f"{part['cpu_percent']:.1f} %"
        row = (part["name"], part["state"], part["pid"], part["restarts"], memory, cpu, part["endpoint"])
        table.add_row(*map(str, row))
    memory, cpu = sum(part["rss_bytes"] for part in parts) / 2**20, sum(part["cpu_percent"] for part in parts)
    table.add_row("all", "", "", "", f"{memory:.0f} MB", f"{cpu:.1f} %", "", style="bold")
    console = Console()
    console.print(table)
    console.print("[green]ready[/]" if ready else "[yellow]not ready[/]")


def _usage(pids: list[int]) -> dict[int, dict[str, float]]:
    """Resident bytes and CPU percent of one core, over _CPU_SAMPLE_S, by process id; zeros for one that is gone."""
    import psutil  # noqa: PLC0415  not needed by `snag --help`

    processes: dict[int, psutil.Process] = {}
    for pid in pids:
        try:
            processes[pid] = psutil.Process(pid)
            processes[pid].cpu_percent()
        except psutil.Error:
            processes.pop(pid, None)
    time.sleep(_CPU_SAMPLE_S)
    found: dict[int, dict[str, float]] = {}
    for pid in pids:
        try:
            process = processes[pid]
            found[pid] = {"rss_bytes": process.memory_info().rss, "cpu_percent": process.cpu_percent()}
        except (KeyError, psutil.Error):
            found[pid] = {"rss_bytes": 0, "cpu_percent": 0.0}
    return found


def _settings(data_dir: Path | None, port: int | None = None) -> Any:
    from schemas.settings import load_settings  # noqa: PLC0415  pydantic is not needed by `snag --help`

    given: dict[str, Any] = {}
    if data_dir is not None:
        given["local"] = {"data_dir": data_dir}
    if port is not None:
        given["ingest"] = {"port": port}
    return load_settings(**given)


def _state(data_dir: Path) -> Any:
    from deploy.local.state import is_process, load_state  # noqa: PLC0415  not needed by `snag --help`

    state = load_state(data_dir)
    return state if state is not None and is_process(state.pid, state.created) else None


def _running(data_dir: Path | None) -> Any:
    state = _state(_settings(data_dir).local.data_dir.absolute())
    if state is None:
        _fail("The stack is not running. Start it with: snag up", NOT_RUNNING)
    return state


def _fail(message: str, code: int) -> Any:
    typer.echo(message, err=True)
    raise typer.Exit(code)
