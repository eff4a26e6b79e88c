"""The compose file, checked by a linter and against the code, since no Docker engine is needed to run the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from schemas.topics import MAX_RECORD_BYTES

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_the_linter_finds_nothing_of_high_severity() -> None:
    linter = Path(sys.executable).with_name("compose-lint")
    done = subprocess.run([str(linter), str(COMPOSE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_production_images_run_beside_every_part() -> None:
    images = {name: service["image"].split(":")[0] for name, service in services().items()}
    assert images["kafka"] == "apache/kafka"
    assert images["clickhouse"] == "clickhouse/clickhouse-server"
    assert {"collector", "writer", "live"} <= images.keys()


def test_every_lasting_service_has_a_health_check() -> None:
    for name, service in services().items():
        once = name in {"topics", "migrations"}
        assert service["healthcheck"].get("disable", False) == once, name


def test_topics_and_migrations_are_done_before_consumers_start() -> None:
    for name in ("collector", "writer", "live"):
        waits = services()[name]["depends_on"]
        assert waits["topics"]["condition"] == waits["migrations"]["condition"] == "service_completed_successfully"


def test_live_workers_can_be_scaled() -> None:
    assert not {"container_name", "ports"} & services()["live"].keys()


def test_the_broker_takes_the_largest_record() -> None:
    assert int(services()["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) > MAX_RECORD_BYTES


def test_the_image_holds_every_package() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for package in ("schemas", "ingest", "processors", "snag", "deploy"):
        assert f"COPY {package} {package}" in text


def test_the_image_runs_as_a_user_that_owns_the_spool_and_is_not_root() -> None:
    *_, stage = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    users = [line.split()[1] for line in stage.splitlines() if line.startswith("USER ")]
    assert users[-1] not in {"root", "0"}
    spool = services()["collector"]["environment"]["SNAG_INGEST__SPOOL_DIR"]
    assert f"install -d -o {users[-1]} -g {users[-1]} {spool}" in stage
    assert not [name for name, service in services().items() if str(service.get("user", users[-1])) in {"root", "0"}]
