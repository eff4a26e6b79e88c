"""The demo on a running stack: a payment that breaks is in the live funnel, in the signals and a firing alert."""

from __future__ import annotations

import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tests.support.browser import chromium
from tests.support.running import SNAG, RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DEADLINE_S = 300
WITHIN_S = 120
REFUSED = "SELECT uniqExact(session_id) AS n FROM friction_signals FINAL WHERE signal = 'payment_failed_soft'"
VISITS = "SELECT uniqExact(session_id) AS n FROM clickstream FINAL WHERE type = 'page_view' AND NOT is_bot"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def shop(stack: RunningStack, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`snag demo` as a person starts it, without customers of its own."""
    log = tmp_path / "demo.log"
    with log.open("w") as out:
        demo = subprocess.Popen(
            [str(SNAG), "demo", "--port", "0", "--no-history", "--customers", "0"],
            cwd=stack.directory,
            env=stack.env,
            stdout=out,
            stderr=out,
            text=True,
        )
    try:
        wait_for(lambda: is_open(stack) or demo.poll() is not None, DEADLINE_S, "the shop is open")
        assert demo.poll() is None, log.read_text()
        yield demo
        demo.send_signal(signal.SIGINT)
        assert demo.wait(DEADLINE_S) == 0, log.read_text()
        assert log.read_text().count("open  http://127.0.0.1:") == 1
        assert "Traceback" not in log.read_text(), log.read_text()
        assert stack.snag("demo", "status", check=False).returncode == 3
    finally:
        demo.kill()


def docs_watching() -> list[list[str]]:
    """The commands with which docs/demo.md watches a broken shop and that end by themselves."""
    lines = (Path(__file__).parents[2] / "docs" / "demo.md").read_text().splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith(("snag funnel", "snag sql"))]


def is_open(stack: RunningStack) -> bool:
    return bool(orjson.loads(stack.snag("demo", "status", "--json", check=False).stdout)["ready"])


def visitors_come(stack: RunningStack, *arguments: str) -> None:
    """Five customers, all of whom reach an end of their own and are in ClickHouse."""
    before = stack.query(VISITS)[0]["n"]
    ended = orjson.loads(stack.snag("demo", "visit", "--visitors", "5", "--rate", "5", "--json", *arguments).stdout)
    assert sum(ended.values()) == 5
    assert not [end for end in ended if end != "ordered" and not end.startswith("left at")], ended
    wait_for(lambda: stack.query(VISITS)[0]["n"] == before + 5, DEADLINE_S, "all five are in ClickHouse")


def test_without_a_stack_the_demo_starts_one_that_calls_visitors_gone_after_minutes_and_stops_it(
    tmp_path: Path,
) -> None:
    own = RunningStack(tmp_path, {"SNAG_INGEST__PORT": "0"})
    demo = ("demo", "--detach", "--port", "0", "--no-history", "--customers", "0")
    subprocess.run([str(SNAG), *demo], cwd=tmp_path, env=own.env, check=True, timeout=DEADLINE_S)
    try:
        live = Path(f"/proc/{own.part('live')['pid']}/environ").read_bytes().split(b"\0")
        assert b"SNAG_LIVE__ABANDON_AFTER_S=120" in live
    finally:
        own.snag("demo", "stop")
    assert own.snag("status", check=False).returncode == 3


@pytest.mark.usefixtures("shop")
def test_customers_come_without_a_browser_and_ctrl_c_closes_the_shop(stack: RunningStack) -> None:
    visitors_come(stack, "--plain", "--seed", "3")


@pytest.mark.browser
@pytest.mark.usefixtures("shop")
def test_customers_come_with_a_real_browser_each(stack: RunningStack, pytestconfig: pytest.Config) -> None:
    chromium(pytestconfig)
    visitors_come(stack, "--seed", "3")


def test_a_broken_payment_shows_within_two_minutes(stack: RunningStack) -> None:
    stack.snag("demo", "--detach", "--port", "0")
    try:
        assert orjson.loads(stack.snag("demo", "status", "--json").stdout)["ready"]
        before = stack.query(REFUSED)[0]["n"]
        broken_s = time.time()
        stack.snag("demo", "break", "payment")
        since = f"{datetime.fromtimestamp(broken_s, UTC):%F %T}"
        alert = (
            "SELECT toUnixTimestamp(max(updated_at)) AS at FROM alerts FINAL "
            f"WHERE funnel = 'checkout' AND step_name = 'payment' AND status = 'firing' AND updated_at > '{since}'"
        )
        fired_s = wait_for(lambda: stack.query(alert)[0]["at"], DEADLINE_S, "the alert fires")
        assert fired_s - broken_s <= WITHIN_S  # the moment the alert stands for, not that of a busy machine
        assert stack.query(REFUSED)[0]["n"] >= before + 20
        steps = (
            "SELECT sum(entered) AS entered, sum(passed) AS passed FROM v_funnel_cohorts "
            f"WHERE funnel = 'checkout' AND name = 'payment' AND minute > '{since}'"
        )
        wait_for(lambda: stack.query(steps)[0]["entered"] > 0, DEADLINE_S, "payments since are in the live funnel")
        assert stack.query(steps)[0]["passed"] == 0
        for watch in docs_watching():
            assert stack.snag(*watch).stdout
        assert "nothing is broken" in stack.snag("demo", "repair", "--all").stdout
    finally:
        stack.snag("demo", "stop")
    assert "Traceback" not in stack.log("demo"), stack.log("demo")
    assert stack.snag("demo", "status", check=False).returncode == 3
