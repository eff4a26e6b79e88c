"""`snag config show` and `snag doctor`: where values come from, what is checked, and that secrets stay secret."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from ingest.spool.frame import Record
from ingest.spool.quarantine import Quarantine, Refused, send_again
from schemas.settings import KafkaSettings, load_settings
from snag import doctor
from snag.cli import create_cli
from snag.cli.config import flatten, resolved


def test_the_first_source_that_names_a_value_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "snag.toml").write_text(
        "[ingest]\nport = 1\nlinger_ms = 2\n[live]\nbuckets = 3\n[writer]\ngroup = 'g'\n"
    )
    (tmp_path / ".env").write_text("SNAG_INGEST__PORT=11\nSNAG_INGEST__LINGER_MS=12\n")
    monkeypatch.setenv("SNAG_INGEST__PORT", "21")
    found = resolved()
    assert found["ingest.port"] == ("21", "environment")
    assert found["ingest.linger_ms"] == ("12.0", ".env")
    assert found["live.buckets"] == ("3", "snag.toml")
    assert found["kafka.partitions"] == ("8", "default")
    assert load_settings(ingest={"port": 31}).ingest.port == 31


def test_secrets_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAG_CLICKHOUSE__PASSWORD", "hunter2hunter2")
    for arguments in (["config", "show"], ["config", "show", "--origin"], ["config", "show", "--json"]):
        printed = CliRunner().invoke(create_cli(), arguments)
        assert printed.exit_code == 0
        assert "hunter2" not in printed.output
        assert "wk_local" not in printed.output
        assert "clickhouse.password" in printed.output


def test_flatten_names_every_leaf() -> None:
    assert flatten({"a": {"b": [1, {"c": 2}]}, "d": {}}) == {"a.b.0": 1, "a.b.1.c": 2, "d": {}}


def test_missing_java_has_one_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_output", lambda *_: None)
    assert doctor.java_version().verdict == "fail"
    assert "install" in doctor.java_version().fix
    assert doctor.maven().verdict == "fail"


def test_an_old_java_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_output", lambda *_: 'openjdk version "11.0.2" 2019-01-15')
    assert doctor.java_version().found == "version 11"
    assert doctor.java_version().verdict == "fail"


def test_little_memory_is_a_warning_never_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.psutil, "virtual_memory", type("M", (), {"available": 100 << 20}))
    assert doctor.memory().verdict == "warn"


async def test_events_that_kafka_refused_are_counted_with_the_newest_reason_and_the_way_back(tmp_path: Path) -> None:
    assert doctor.quarantine(tmp_path / "none").verdict == "ok"
    record = Record("raw", 0, 0, 1, b"{}")
    await Quarantine(tmp_path).keep([Refused(record, "first"), Refused(record, "MessageSizeTooLarge")])
    found = doctor.quarantine(tmp_path)
    assert found.verdict == "warn"
    assert found.found.startswith("2 events refused by Kafka")
    assert str(tmp_path / "quarantine.ndjson") in found.found
    assert found.found.endswith("MessageSizeTooLarge")
    assert "snag quarantine send" in found.fix
    assert send_again(tmp_path) == 2
    assert doctor.quarantine(tmp_path).verdict == "ok"


def test_doctor_prints_every_check_as_json() -> None:
    printed = CliRunner().invoke(create_cli(), ["doctor", "--json"])
    names = [check["name"] for check in orjson.loads(printed.output)["checks"]]
    assert names[:3] == ["python", "java", "maven"]
    assert {"memory", "disk", "data directory", "port kafka", "quarantine"} <= set(names)


@pytest.mark.parametrize(
    ("environment", "toml", "said"),
    [
        ({"SNAG_KAFKA__PARTITIONS": "many"}, "", "Setting kafka.partitions: input should be a valid integer"),
        ({"SNAG_KAFKA__MIN_INSYNC_REPLICAS": "2"}, "", "would refuse every event"),
        ({"SNAG_SITES": "[nonsense"}, "", "written as JSON"),
        ({}, "bad = [", "snag.toml is no TOML"),
        ({}, "[ingest]\nprot = 1\n", "Setting ingest.prot: extra inputs are not permitted"),
        ({}, "[[sites]]\nname = 'a b'\nwrite_keys = ['hunter2']\n", "Setting sites.0.name"),
        ({"SNAG_FUNNELS_DIR": "."}, "", "bad.toml"),
    ],
)
def test_a_bad_configuration_is_told_in_words_and_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], toml: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if toml:
        (tmp_path / "snag.toml").write_text(toml)
    else:
        (tmp_path / "bad.toml").write_text("name = 1")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(create_cli(), ["funnel", "list"])
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert "hunter2" not in done.output


@pytest.mark.parametrize(("replication", "in_sync"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_record_is_acknowledged_when_a_majority_of_its_replicas_has_it(replication: int, in_sync: int) -> None:
    assert KafkaSettings(replication=replication).least_in_sync == in_sync
    assert KafkaSettings(replication=replication, min_insync_replicas=1).least_in_sync == 1


def test_a_misspelt_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SNAG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SNAG_KAFKA__BOOTSTRAP", "x:1")
    monkeypatch.setenv("SNAG_SITES", "[]")
    assert doctor.variables().verdict == "ok"
    monkeypatch.setenv("SNAG_KAFKA__BOTSTRAP", "x:1")
    monkeypatch.setenv("SNAG_CLICKHOUSE_PASSWORD", "secret")
    found = doctor.variables()
    assert (found.verdict, found.found) == ("warn", "no setting: SNAG_CLICKHOUSE_PASSWORD, SNAG_KAFKA__BOTSTRAP")


def test_a_port_of_the_running_stack_is_no_conflict() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert doctor.port("kafka", number).verdict == "warn"
        assert doctor.port("kafka", number, {str(number)}).verdict == "ok"
    assert doctor.port("kafka", number).verdict == "ok"
