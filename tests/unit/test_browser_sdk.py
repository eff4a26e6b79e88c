"""The shipped browser SDK: it is what its sources build, it keeps its size, and its tag is right."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from importlib.resources import files
from pathlib import Path

import pytest

from ingest.adapters.sdk_files import SDK_FILES
from snag.browser_sdk import Shipped, ShippedFile, script_tag, shipped

SOURCES = Path(__file__).parents[2] / "sdk" / "browser"
CORE_MAX_GZIP_BYTES = 5000
FRICTION_MAX_GZIP_BYTES = 6000
NPM_DEADLINE_S = 240


def test_both_files_keep_their_budget() -> None:
    made = shipped()
    assert made.files["s.js"].gzip_bytes <= CORE_MAX_GZIP_BYTES
    assert made.files[f"s-friction-{made.version}.js"].gzip_bytes <= FRICTION_MAX_GZIP_BYTES


def test_every_hash_is_that_of_its_file_and_the_core_locks_the_second_one() -> None:
    made = shipped()
    folder = files("ingest") / "static"
    for name, file in made.files.items():
        code = (folder / name).read_bytes()
        assert file.integrity == f"sha384-{b64encode(hashlib.sha384(code).digest()).decode()}"
        assert file.bytes == len(code)
    assert made.files[f"s-friction-{made.version}.js"].integrity in (folder / "s.js").read_text()


def test_the_tag_escapes_and_locks_only_the_frozen_file() -> None:
    made = Shipped("1.0.0", {"s-1.0.0.js": ShippedFile(1, 1, "sha384-x")})
    assert script_tag(made, "https://t.example/", 'k"', frozen=False) == (
        '<script async src="https://t.example/s.js" data-key="k&quot;"></script>'
    )
    assert script_tag(made, "https://t.example", "k", frozen=True) == (
        '<script async src="https://t.example/s-1.0.0.js" data-key="k"'
        ' integrity="sha384-x" crossorigin="anonymous"></script>'
    )
    assert {page.name for page in SDK_FILES} == {"sdk_moving", "sdk_frozen"}


def test_the_shipped_files_are_what_the_sources_build(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        sys.stderr.write("\nWARNING: without npm nobody checks that ingest/static is built from sdk/browser\n")
        pytest.skip("npm is not installed: apt-get install npm")
    work = tmp_path / "browser"
    shutil.copytree(SOURCES, work, ignore=shutil.ignore_patterns("node_modules"))

    def run(*command: str) -> None:
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, timeout=NPM_DEADLINE_S, check=False, env=os.environ
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run(npm, "ci", "--no-audit", "--no-fund", "--prefer-offline")
    run(npm, "run", "--silent", "types")
    run("node", "build.mjs", str(tmp_path / "static"))
    built = {path.name: path.read_bytes() for path in (tmp_path / "static").iterdir()}
    kept = {file.name: file.read_bytes() for file in (files("ingest") / "static").iterdir()}
    assert built == kept, "ingest/static is stale: run `make sdk`"
