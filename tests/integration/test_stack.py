"""The one-command stack as its user sees it: status, restart, a part that dies, a second start, a killed supervisor."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support.running import SNAG, RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PARTS = ["kafka", "clickhouse", "collector", "writer", "live"]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def test_a_stack_from_up_to_down(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        stack = RunningStack(tmp_path, {})
        started = stack.snag("up", "--detach", "--port", str(wanted))
    assert f"port {wanted} is taken, collector moves to" in started.stderr
    assert "ready" in started.stderr
    try:
        status = stack.status()
        assert status["ready"] is True
        assert [part["name"] for part in status["parts"]] == PARTS
        for part in status["parts"]:
            assert part["state"] == "up"
            assert part["pid"] > 0
            assert part["endpoint"]
            assert part["rss_bytes"] > 0
        assert status["collector"] != f"http://127.0.0.1:{wanted}"
        assert status["data_dir"] == str(stack.data_dir)

        again = stack.snag("up", check=False)
        assert again.returncode == 1
        assert "already running" in again.stderr

        before = stack.part("collector")["pid"]
        stack.snag("restart", "collector")
        after = stack.part("collector")
        assert after["pid"] != before
        assert after["state"] == "up"
        unknown = stack.snag("restart", "nothing", check=False)
        assert unknown.returncode == 2
        assert "Parts: kafka" in unknown.stderr

        os.kill(stack.part("writer")["pid"], signal.SIGKILL)
        wait_for(lambda: stack.part("writer")["restarts"] == 1, 30, "status tells of the restart")
        wait_for(lambda: stack.status()["ready"], 60, "ready again")
        assert "started" in stack.snag("logs", "writer").stdout
    finally:
        pids = [part["pid"] for part in stack.status()["parts"]]
        stack.snag("down")
    assert not [pid for pid in pids if alive(pid)], "down leaves no process"
    gone = stack.snag("status", check=False)
    assert gone.returncode == 3
    assert "snag up" in gone.stderr


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        supervisor = stack.status()["supervisor"]["pid"]
        pids = [part["pid"] for part in stack.status()["parts"]]
        os.kill(supervisor, signal.SIGKILL)
        wait_for(lambda: not [pid for pid in pids if alive(pid)], 30, "the parts end with their supervisor")
        assert stack.snag("status", check=False).returncode == 3
        stack.snag("up", "--detach", "--port", "0")
        assert stack.status()["ready"] is True


def test_derived_rows_are_recomputed_by_up_rebuild(tmp_path: Path) -> None:
    """By the rules as they are at that start: with another one, other rows."""
    session = "SELECT events, friction['quick_back'] AS quick_backs FROM sessions FINAL WHERE visitor_id = 'ann'"
    story = [
        {
            "event_id": f"e{n}",
            "type": "page_view",
            "visitor_id": "ann",
            "session_id": "s",
            "url": f"https://x.example/{p}",
        }
        | {"ts": f"2026-11-23T10:00:0{n}Z"}
        for n, p in enumerate("aba")
    ]
    with running_stack(tmp_path, SNAG_LIVE__EMIT_INTERVAL_S="1") as stack:
        stack.snag("send", "-", stdin="\n".join(map(json.dumps, story)))
        wait_for(lambda: stack.query(session) == [{"events": 3, "quick_backs": 1}], 60, "a quick back is found")
        stack.snag("down")
        stack.env["SNAG_LIVE__FRICTION"] = '{"quick_back": {"dwell_ms": 500}}'
        said = stack.snag("up", "--detach", "--port", "0", "--rebuild").stderr
        assert "deleted all derived rows" in said
        wait_for(lambda: stack.query(session) == [{"events": 3, "quick_backs": 0}], 60, "it is judged anew")


def test_two_live_workers_share_the_partitions(tmp_path: Path) -> None:
    with running_stack(tmp_path, live_workers=2) as stack:
        assert [part["name"] for part in stack.status()["parts"]] == [*PARTS, "live-2"]
        stack.snag("simulate", "--visitors", "30", "--seed", "1")
        want = "SELECT uniqExact(session_id) AS n FROM clickstream FINAL WHERE session_id != ''"
        have = f"{want.replace('clickstream', 'sessions')} AND session_id IN (SELECT session_id FROM clickstream)"

        def complete() -> bool:
            n = stack.query(want)[0]["n"]
            return n > 0 and n == stack.query(have)[0]["n"]

        wait_for(complete, 60, "every session has its row")


def test_ctrl_c_during_the_start_stops_what_was_started(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path, {})
    command = [str(SNAG), "up", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=stack.env, stderr=subprocess.PIPE, start_new_session=True) as up:
        wait_for(lambda: stack.status()["parts"], 60, "the first part is there")
        pids = [part["pid"] for part in stack.status()["parts"]]
        up.send_signal(signal.SIGINT)
        assert up.wait(90) == 0
    assert not [pid for pid in pids if alive(pid)]
