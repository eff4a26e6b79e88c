"""Every command that README shows is run here, as it stands, against a running stack."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import orjson
import pytest

from tests.support.running import SNAG, RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
MAKE = {"make up", "make test"}  # the first has a test below, the second is what runs this


def readme_commands() -> list[str]:
    """The shell commands of README in order, comments cut off; a command may go over several lines."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    commands: list[str] = []
    for block in blocks:
        if block.startswith("curl"):
            commands.append(block.strip())
        else:
            commands += [re.sub(r"\s+#.*", "", line).strip() for line in block.splitlines() if line.strip()]
    return commands


def beside_others(command: str, directory: Path) -> str:
    """The command on free ports, with its data in `directory`, and without the demo's past, which takes a minute."""
    ran = re.sub(r"--data-dir \S+", f"--data-dir {directory / 'second'}", command).replace("--port 8090", "--port 0")
    return ran.replace("demo --detach", "demo --detach --port 0 --no-history")


def run(command: str, stack: RunningStack, cwd: Path) -> str:
    """Run one README command in a shell with `snag` on PATH; returns its stdout."""
    env = {**stack.env, "PATH": f"{SNAG.parent}:{os.environ['PATH']}"}
    done = subprocess.run(  # noqa: S602  README's commands are for a shell
        command, shell=True, capture_output=True, text=True, timeout=200, cwd=cwd, env=env, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_of_readme_works(tmp_path: Path) -> None:
    commands = readme_commands()
    assert set(commands) >= MAKE, "README leads with the two make commands"
    curl = next(command for command in commands if command.startswith("curl"))
    with running_stack(tmp_path) as stack:
        collector = stack.status()["collector"]
        answer = orjson.loads(run(curl.replace("http://127.0.0.1:8080", collector), stack, tmp_path))
        assert answer == {"accepted": 4, "rejected": []}
        funnel = "SELECT entered FROM v_funnel(funnel = 'checkout', from = now() - 3600, to = now() + 60) ORDER BY step"
        wait_for(lambda: [row["entered"] for row in stack.query(funnel)] == [1, 1, 0, 0, 0], 30, "README's funnel")
        lines = [{"type": "page_view", "visitor_id": f"v{i}", "url": "https://shop.example/"} for i in range(3)]
        (tmp_path / "events.ndjson").write_bytes(b"\n".join(map(orjson.dumps, lines)))
        timed = [{**line, "ts": f"2026-11-23T10:00:0{i}Z"} for i, line in enumerate(lines)]
        (tmp_path / "recording.ndjson").write_bytes(b"\n".join(map(orjson.dumps, timed)))
        (tmp_path / "access.log").write_text(
            '203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 42 "-" "Firefox/9"\n'
        )
        try:
            for command in commands:
                if command.startswith("snag") and command != "snag tail alerts":
                    run(beside_others(command, tmp_path), stack, tmp_path)
        finally:
            stack.snag("demo", "stop", check=False)  # it would outlive a command that failed before
        tail_ends_cleanly(stack, tmp_path)


def tail_ends_cleanly(stack: RunningStack, cwd: Path) -> None:
    """`snag tail alerts` runs until Ctrl-C and then exits with 0."""
    tail = subprocess.Popen([str(SNAG), "tail", "alerts"], cwd=cwd, env=stack.env, stderr=subprocess.PIPE, text=True)
    assert tail.stderr is not None
    try:
        said = next(iter(tail.stderr), "")  # it is said once Ctrl-C is waited for
        assert said.startswith("watching alerts"), said
        tail.send_signal(signal.SIGINT)
        said = tail.communicate(timeout=60)[1]
        assert tail.returncode == 0, said
    finally:
        tail.kill()


def test_make_up_starts_the_stack_and_ctrl_c_stops_it(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path, {})
    log = tmp_path / "up.log"
    with log.open("wb") as out:
        env = {**stack.env, "SNAG_INGEST__PORT": "0"}
        up = subprocess.Popen(["make", "up"], cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        wait_for(lambda: stack.status()["ready"] or up.poll() is not None, 240, "make up is ready")
        assert up.poll() is None, log.read_text()
        pids = [part["pid"] for part in stack.status()["parts"]]
        assert "ready" in log.read_text()
    finally:
        os.killpg(up.pid, signal.SIGINT)
        up.wait(90)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()], "parts outlived Ctrl-C"
