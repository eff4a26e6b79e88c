"""The data commands where no server is needed: exit codes, usage errors, files, and what goes to which stream."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from snag.cli import create_cli
from tests.support.ports import free_port


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack runs here, and nothing listens at the default addresses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNAG_INGEST__PORT", str(free_port()))
    monkeypatch.setenv("SNAG_CLICKHOUSE__URL", f"http://127.0.0.1:{free_port()}")


def snag(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(create_cli(), list(arguments), input=stdin)


def test_help_names_every_data_command() -> None:
    shown = snag("--help").stdout
    assert all(name in shown for name in ("send", "tail", "sql", "funnel", "replay", "simulate", "import"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "-"),
        ("sql", "SELECT 1"),
        ("simulate", "--visitors", "20"),
        ("funnel", "show", "checkout"),
    ],
)
def test_without_a_stack_it_says_how_to_start_one(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAG_LOCAL__DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SNAG_INGEST__PORT", str(free_port()))
    monkeypatch.setenv("SNAG_CLICKHOUSE__URL", f"http://127.0.0.1:{free_port()}")
    done = snag(*arguments, stdin='{"type":"page_view"}\n')
    assert done.exit_code == 3
    assert done.stderr.strip().endswith("Start it with: snag up")
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("funnel", "show", "nope"),
        ("funnel", "show", "checkout", "--since", "soon"),
        ("replay", "f", "--keep-times", "--speed", "2"),
        ("replay", "f", "--speed", "0.5"),
        ("replay", "-"),
        ("simulate", "--out", "f", "--start", "soon"),
        ("simulate", "--visitors", "0"),
        ("simulate", "--out", "f", "--kafka"),
        ("simulate", "--rate", "5", "--truth", "t"),
        ("tail", "nothing"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    assert snag(*arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [("send", "gone"), ("replay", "gone"), ("import", "access-log", "gone")])
def test_a_missing_file_is_named(arguments: tuple[str, ...]) -> None:
    done = snag(*arguments)
    assert done.exit_code == 1
    assert done.stderr.strip() == "gone: No such file or directory"


def test_the_same_seed_and_start_write_the_same_file(tmp_path: Path) -> None:
    options = ("--seed", "7", "--visitors", "20", "--start", "2026-11-01T00:00:00Z")
    for name in ("a", "b"):
        assert snag("simulate", *options, "--out", name).exit_code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert b'"ts":"2026-11-01T00:' in (tmp_path / "a").read_bytes()


def test_simulated_events_go_to_stdout_and_what_is_said_to_stderr() -> None:
    done = snag("simulate", "--visitors", "5", "--seed", "1", "--start", "2026-11-01", "--out", "-", "--json")
    lines = done.stdout.splitlines()
    assert len(lines) > 5
    assert all(orjson.loads(line)["event_id"] for line in lines)
    assert f'"events":{len(lines)}' in done.stderr
    assert not Path("-").exists()


def test_simulated_history_ends_now_and_says_its_seed(tmp_path: Path) -> None:
    done = snag("simulate", "--visitors", "50", "--out", "a", "--json")
    said = orjson.loads(done.stdout)
    lines = (tmp_path / "a").read_bytes().splitlines()
    assert len(lines) == said["events"] > 0
    assert f"seed {said['seed']}" in done.stderr


def test_simulated_weeks_come_with_their_truth(tmp_path: Path) -> None:
    (tmp_path / "i.toml").write_text(
        '[[incident]]\nid = "it"\nkind = "outage"\nstart = "+1d"\nend = "+2d"\nconversion = 0.1\n'
    )
    options = ("--days", "7", "--visitors", "300", "--seed", "3", "--start", "2026-11-02")
    done = snag("simulate", *options, "--incidents", "i.toml", "--truth", "t", "--out", "o", "--json")
    assert orjson.loads(done.stdout)["events"] == len((tmp_path / "o").read_bytes().splitlines())
    records = [orjson.loads(line) for line in (tmp_path / "t").read_bytes().splitlines()]
    assert [record["record"] for record in (records[0], records[-1])] == ["run", "incident"]
    sessions = {record["session_id"] for record in records if record["record"] == "session"}
    assert sessions == {orjson.loads(line)["session_id"] for line in (tmp_path / "o").read_bytes().splitlines()}


def test_a_wrong_incidents_file_is_named_with_its_mistake(tmp_path: Path) -> None:
    (tmp_path / "i.toml").write_text("[[incident]]\nid = 'x'\n")
    done = snag("simulate", "--incidents", "i.toml", "--out", "o")
    assert done.exit_code == 1
    assert "incidents i.toml: Object missing required field" in done.stderr
    assert not (tmp_path / "o").exists()


def test_a_missing_truth_is_named() -> None:
    done = snag("score", "gone")
    assert done.exit_code == 1
    assert done.stderr.strip() == "gone: No such file or directory"


def test_funnels_are_listed() -> None:
    assert snag("funnel", "list").stdout.startswith("checkout (version 2): product_added -> checkout_started")
    assert orjson.loads(snag("funnel", "list", "--json").stdout)["data"][0]["name"] == "checkout"
