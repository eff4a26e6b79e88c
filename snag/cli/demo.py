"""`snag demo`: a small shop to try Snag on, and the switches that break it."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from snag.cli.failures import FAILED, NOT_RUNNING, failures
from snag.cli.options import JsonOption

if TYPE_CHECKING:
    from collections import Counter

    from schemas.settings import Settings
    from snag.demo.state import DemoState
    from snag.demo.switches import Switches

_PORT: Final = 8090
_CUSTOMERS_PER_S: Final = 6.0
_VISITS_PER_S: Final = 1.0
_READY_DEADLINE_S: Final = 420.0  # a first start also fetches Kafka
_STOP_DEADLINE_S: Final = 120.0  # the stack's parts too, one after the other
_FUNNELS_READ_S: Final = 7.0  # live workers look at the folder of funnels every 5 s
_INTERVAL_S: Final = 0.1

# Who is silent for so long has left: the demo's customers take some seconds a step, and a person who watches does not
# wait for the usual half hour to see what was lost and why.
_LEFT_SETTING: Final = "SNAG_LIVE__ABANDON_AFTER_S"
_LEFT_AFTER_S: Final = "120"

app = typer.Typer(help="A small shop to try it on; breaks on purpose, repaired by a command.")


@app.callback(invoke_without_command=True)
def demo(
    context: typer.Context,
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when ready; the shop stays.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The shop's port; 0: any free one.")] = _PORT,
    customers: Annotated[
        float, typer.Option("--customers", min=0, help="Customers a second who come by themselves; 0: none.")
    ] = _CUSTOMERS_PER_S,
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Tell of two hours of ordinary customers first.")
    ] = True,
) -> None:
    """Open the shop beside the running stack, or start the stack too. Ctrl-C closes what this has started."""
    if context.invoked_subcommand is not None:
        return
    _need_python_sdk()
    from schemas.settings import load_settings
    from snag.demo.state import read_state

    settings = load_settings()
    running = read_state(_data_dir(settings))
    if running is not None:
        _fail(f"The shop is open already, at {running.address}. Close it with: snag demo stop", FAILED)
    if detach:
        _detached(settings, port, customers, history=history)
        return
    signal.signal(signal.SIGTERM, _interrupt)
    with failures(), _clocks(settings), _stack(settings) as owns_stack:
        _open(settings, port, customers, history=history, owns_stack=owns_stack)


@app.command("break")
def break_(names: Annotated[list[str], typer.Argument(help="payment, coupon, slow-shipping, ..")]) -> None:
    """Break the running shop: payment, coupon, slow-shipping, js-error, dead-button, forced-registration."""
    switches = _switches(names)
    switches.set(switches.on() | set(names))
    _print_broken(switches.on())


@app.command()
def repair(
    names: Annotated[list[str] | None, typer.Argument(help="What to repair.")] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
) -> None:
    """Repair what was broken."""
    if bool(names) == all_:
        raise typer.BadParameter("Name what to repair, or say --all.")
    switches = _switches(names or [])
    switches.set(frozenset() if all_ else switches.on() - set(names or []))
    _print_broken(switches.on())


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show the shop's address and what is broken. Exit code 3 when it is closed."""
    import orjson

    from schemas.settings import load_settings
    from snag.demo.state import read_state, switches_of

    data_dir = _data_dir(load_settings())
    state, broken = read_state(data_dir), sorted(switches_of(data_dir).on())
    if as_json:
        shown = {
            "ready": state is not None and state.ready,
            "address": state.address if state else "",
            "customers_per_s": state.customers_per_s if state else 0.0,
            "broken": broken,
        }
        typer.echo(orjson.dumps(shown).decode())
    if state is None:
        _fail(_CLOSED, NOT_RUNNING)
    if not as_json:
        typer.echo(f"{state.address}  {'open' if state.ready else 'opening'}, {state.customers_per_s:g} customers/s")
        _print_broken(frozenset(broken))


@app.command()
def stop() -> None:
    """Close the shop that runs in the background, and the stack if it was started with it."""
    state = _running()
    os.kill(state.pid, signal.SIGTERM)
    _wait(lambda: _gone(state), _STOP_DEADLINE_S, f"The shop (process {state.pid}) does not end.")
    typer.echo("closed", err=True)


@app.command()
def visit(
    *,
    visitors: Annotated[int, typer.Option("--visitors", min=1, help="How many.")] = 10,
    rate: Annotated[float, typer.Option("--rate", min=0.01, help="How many come in a second.")] = _VISITS_PER_S,
    plain: Annotated[
        bool, typer.Option("--plain", help="Without a browser: the same pages and events, many times cheaper.")
    ] = False,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Same seed, same customers.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Send customers into the shop, with a headless Chromium each, and print where they ended."""
    import orjson

    from schemas.settings import load_settings

    _need_python_sdk()
    state, settings = _running(), load_settings()
    with failures():
        ended = asyncio.run(_visit(settings, state.address, visitors, rate, seed, plain=plain))
    if as_json:
        typer.echo(orjson.dumps(dict(ended.most_common())).decode())
        return
    for end, count in ended.most_common():
        typer.echo(f"{count:>6}  {end}")


_CLOSED: Final = "The shop is closed. Open it with: snag demo"


async def _visit(
    settings: Settings, address: str, count: int, rate: float, seed: int | None, *, plain: bool
) -> Counter[str]:
    import aiohttp

    from snag.addresses import find_collector
    from snag.cli.sending import default_key
    from snag.demo.customers import come, plain_visit
    from snag.demo.intent import seeded
    from snag.demo.service import endpoint_of
    from snag.demo.transport import OverHttp

    if plain:
        endpoint = endpoint_of(find_collector(settings), default_key(settings))
        async with aiohttp.ClientSession() as session:
            visit = plain_visit(OverHttp(session, address, endpoint))
            return await come(visit, seeded(seed), rate=rate, count=count, at_once=count)
    from snag.demo.chromium import AT_ONCE, chromium_visit

    async with chromium_visit(address) as visit:
        return await come(visit, seeded(seed), rate=rate, count=count, at_once=AT_ONCE)


def _open(settings: Settings, port: int, customers: float, *, history: bool, owns_stack: bool) -> None:
    from deploy.local.state import created_at
    from snag.addresses import find_collector
    from snag.cli.sending import default_key
    from snag.demo.service import Demo, serve
    from snag.demo.state import DemoState, drop_state, write_state

    data_dir = _data_dir(settings)
    pid = os.getpid()

    def opened(address: str, *, ready: bool = True) -> None:
        write_state(
            data_dir,
            DemoState(
                pid=pid,
                created=created_at(pid),
                address=address,
                ready=ready,
                owns_stack=owns_stack,
                customers_per_s=customers,
            ),
        )
        if ready:
            _print_open(address)

    demo = Demo(
        data_dir=data_dir,
        collector=find_collector(settings),
        write_key=default_key(settings),
        port=port,
        rate=customers,
        with_history=history,
    )
    opened("", ready=False)
    try:
        asyncio.run(serve(demo, opened, lambda text: typer.echo(text, err=True)))
    except KeyboardInterrupt:
        pass
    finally:
        drop_state(data_dir)


def _print_open(address: str) -> None:
    typer.echo(
        f"open  {address}\n"
        "  watch   snag funnel show checkout --since 5m\n"
        "          snag tail alerts\n"
        "  break   snag demo break payment\n"
        "  mend    snag demo repair --all\n"
        "  card    4242 4242 4242 4242 is paid; others stand on the payment page",
        err=True,
    )


def _print_broken(broken: frozenset[str]) -> None:
    from snag.demo.switches import BREAKS

    if not broken:
        typer.echo("nothing is broken")
    for name in sorted(broken):
        typer.echo(f"broken  {name}: {BREAKS[name]}")


def _detached(settings: Settings, port: int, customers: float, *, history: bool) -> None:
    from snag.demo.state import read_state

    data_dir = _data_dir(settings)
    log = data_dir / "logs" / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", "from snag.cli import main; main()", "demo", "--port", str(port)]
    command += ["--customers", str(customers), "--history" if history else "--no-history"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def is_ready() -> bool:
        state = read_state(data_dir)
        return process.poll() is not None or (state is not None and state.ready and state.pid == process.pid)

    _wait(is_ready, _READY_DEADLINE_S, f"The shop is not open after {_READY_DEADLINE_S:.0f} s. See {log}.")
    if process.poll() is not None:
        _fail(log.read_text().strip(), process.returncode or FAILED)
    typer.echo(log.read_text(), err=True, nl=False)


@contextmanager
def _stack(settings: Settings) -> Iterator[bool]:
    """A running stack: the one there is, or one of our own; whether it is our own."""
    from deploy.local.state import read_state

    if read_state(settings) is not None:
        yield False
        return
    snag = [sys.executable, "-c", "from snag.cli import main; main()"]
    typer.echo("no stack runs here, starting one ..", err=True)
    env = {_LEFT_SETTING: _LEFT_AFTER_S, **os.environ}
    started = subprocess.run([*snag, "up", "--detach"], stdin=subprocess.DEVNULL, env=env, check=False)
    if started.returncode:
        raise typer.Exit(started.returncode)
    try:
        yield True
    finally:
        subprocess.run([*snag, "down"], stdin=subprocess.DEVNULL, check=False, start_new_session=True)


@contextmanager
def _clocks(settings: Settings) -> Iterator[None]:
    """The demo's clocks, while it runs; waits until the workers of a running stack have seen them."""
    from deploy.local.state import read_state
    from snag.demo.clocks import demo_clocks

    folder = nullcontext(False) if settings.funnels_dir else demo_clocks(settings.funnels_root())
    with folder as quick:
        if not quick:
            typer.echo("your own funnels stay as they are: an alert takes as long as their clocks say", err=True)
        elif read_state(settings) is not None:
            time.sleep(_FUNNELS_READ_S)
        yield


def _need_python_sdk() -> None:
    if find_spec("snag_sdk") is None:
        _fail(
            "The demo shop reports with Snag's Python SDK (snag-sdk), which is not installed. "
            "Install it with: pip install 'snag-analytics[demo]'; built from source: make wheels && "
            "pip install --find-links dist 'snag-analytics[demo]'",
            FAILED,
        )


def _switches(names: list[str]) -> Switches:
    """The switches of the running shop. Wrong names are told, with all there are."""
    from schemas.settings import load_settings
    from snag.demo.state import switches_of
    from snag.demo.switches import BREAKS

    unknown = [name for name in names if name not in BREAKS]
    if unknown:
        raise typer.BadParameter(f"there is no {unknown[0]!r}. There are: {', '.join(BREAKS)}.")
    _running()
    return switches_of(_data_dir(load_settings()))


def _running() -> DemoState:
    from schemas.settings import load_settings
    from snag.demo.state import read_state

    state = read_state(_data_dir(load_settings()))
    if state is None or not state.address:
        _fail(_CLOSED, NOT_RUNNING)
    return state


def _gone(state: DemoState) -> bool:
    from deploy.local.state import is_process

    return not is_process(state.pid, state.created)


def _data_dir(settings: Settings) -> Path:
    return settings.local.data_dir.absolute()


def _wait(condition: Callable[[], bool], deadline_s: float, problem: str) -> None:
    give_up_at = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > give_up_at:
            _fail(problem, FAILED)
        time.sleep(_INTERVAL_S)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
