"""The packages as a user installs them: built, put into a fresh environment, run from somewhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
CATALOG = """
import asyncio, pathlib
from snag.demo.shop import create_shop
from snag.demo.switches import Switches
from snag.demo.transport import InProcess
from snag_sdk.testing import RecordingClient
switches = Switches(pathlib.Path("broken.json"))
shop = create_shop(script_tag="", collector="http://c.example", client=RecordingClient(), switches=switches)
print(asyncio.run(InProcess(shop).request("GET", "/", {}, b"")).text)
"""


def run(*command: str | Path, cwd: Path = ROOT, ends_with: int = 0) -> str:
    """What a command says; PYTHONPATH does not show it the checkout."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, cwd=cwd, env=env, timeout=500, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == ends_with, f"{' '.join(map(str, command))}: {done.returncode}\n{said}"
    return said


def test_a_wheel_runs_by_itself_and_names_what_the_demo_needs(tmp_path: Path) -> None:
    dist, venv = tmp_path / "dist", tmp_path / "venv"
    for source in (".", "sdk/python"):
        run(UV, "build", "--quiet", "--wheel", "--out-dir", dist, source)
    run(UV, "venv", "--quiet", "--python", sys.executable, venv)
    install = (UV, "pip", "install", "--quiet", "--python", venv / "bin" / "python", "-c", ROOT / "requirements.lock")
    run(*install, next(dist.glob("snag_analytics-*.whl")))
    snag = venv / "bin" / "snag"
    assert "integrity=" in run(snag, "sdk", "snippet", "--frozen", cwd=tmp_path)
    said = run(snag, "demo", cwd=tmp_path, ends_with=1)
    assert "pip install 'snag-analytics[demo]'" in said
    assert "Traceback" not in said
    run(*install, "--find-links", dist, "snag-analytics[demo]")
    assert "Leaf &amp; Kettle" in run(venv / "bin" / "python", "-c", CATALOG, cwd=tmp_path)
