"""The small rules of the local stack: backoff, state file, ports that move, logs that stay bounded, leftovers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from deploy.local import keeper
from deploy.local.keeper import backoff_s, rotate, trim
from deploy.local.parts import lay_out
from deploy.local.ports import PortClaims, choose_port
from deploy.local.state import PartStatus, StackState, created_at, is_process, load_state, read_state, write_state
from deploy.local.supervisor import StackError, end_leftovers, lock, low_disk
from schemas.settings import load_settings
from tests.support.ports import free_port


def state(data_dir: Path, *parts: PartStatus, pid: int = 0, created: float = 0.0) -> StackState:
    return StackState(
        ready=True,
        collector="http://127.0.0.1:1",
        clickhouse="http://127.0.0.1:2",
        kafka="127.0.0.1:3",
        data_dir=str(data_dir),
        pid=pid,
        created=created,
        parts=list(parts),
    )


def test_backoff_doubles_and_is_bounded() -> None:
    waits = [backoff_s(n) for n in range(1, 12)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == max(waits) == 10.0


def test_the_state_file_is_read_back_as_written(tmp_path: Path) -> None:
    written = state(tmp_path, PartStatus(name="kafka", pid=7, state="up", restarts=2))
    write_state(written)
    assert load_state(tmp_path) == written
    assert written.part("kafka") == written.parts[0]
    assert written.part("nothing") is None


def test_a_broken_state_file_is_no_stack(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"ready": tr')
    assert load_state(tmp_path) is None


def test_a_stack_is_running_only_while_its_very_process_lives(tmp_path: Path) -> None:
    settings = load_settings(local={"data_dir": tmp_path})
    assert read_state(settings) is None
    me, born = os.getpid(), created_at(os.getpid())
    write_state(state(tmp_path, pid=me, created=born))
    assert read_state(settings) is not None
    write_state(state(tmp_path, pid=me, created=born - 3600))  # an older process had this id
    assert read_state(settings) is None
    assert not is_process(0, 0.0)


def test_leftovers_are_ended_but_not_strangers_with_their_ids(tmp_path: Path) -> None:
    me, born = os.getpid(), created_at(os.getpid())
    ours = PartStatus(name="kafka", pid=me, created=born)
    stranger = PartStatus(name="live", pid=me, created=born - 3600)
    write_state(state(tmp_path, ours, stranger))
    killed: list[tuple[int, int]] = []
    assert end_leftovers(tmp_path, kill=lambda pid, number: killed.append((pid, number))) == [me]
    assert killed == [(me, signal.SIGKILL)]


def test_one_data_directory_has_one_supervisor(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(StackError, match=r"already running .*snag down"), lock(tmp_path):
        pass
    with lock(tmp_path):
        assert (tmp_path / "logs").is_dir()


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"file.*--data-dir"), lock(tmp_path / "file"):
        pass


def test_a_taken_port_moves_and_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        layout = lay_out(
            load_settings(ingest={"port": port}), tmp_path, live_workers=3, claims=PortClaims(tmp_path / "ports")
        )
    assert layout.collector_port != port
    assert any(f"port {port} is taken, collector moves to {layout.collector_port}" in text for text in layout.moved)
    ports = [layout.broker.port, layout.broker.controller_port, layout.clickhouse_port, layout.collector_port]
    ports += [layout.writer_port, *layout.live_ports]
    assert len(ports) == len(set(ports)) == 8


def test_logs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "LOG_MAX_BYTES", 10)
    log = tmp_path / "part.log"
    log.write_text("short")
    rotate(log)
    assert log.read_text() == "short"
    log.write_text("longer than ten")
    trim(log)
    assert log.read_text() == ""
    assert (tmp_path / "part.log.1").read_text() == "longer than ten"
    log.write_text("again longer than ten")
    rotate(log)
    assert not log.exists()
    assert (tmp_path / "part.log.1").read_text() == "again longer than ten"


def test_a_nearly_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=300 << 20))
    (said,) = low_disk(tmp_path)
    assert "only 300 MB are free" in said
    assert "--data-dir" in said
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5 << 30))
    assert low_disk(tmp_path) == []


def test_two_stacks_that_start_together_choose_different_ports(tmp_path: Path) -> None:
    one, other = PortClaims(tmp_path), PortClaims(tmp_path)
    wanted = free_port()
    assert choose_port(wanted, one) == wanted
    chosen = {choose_port(wanted, other), *(choose_port(0, claims) for claims in (one, other) for _ in range(20))}
    assert len(chosen) == 41
    assert wanted not in chosen
    one.release()
    assert other.take(wanted)


def test_without_a_place_for_claims_a_stack_starts_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert PortClaims(tmp_path / "file" / "ports").take(1)
