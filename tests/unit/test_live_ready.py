"""The live worker before it is joined: its tables' topics, and its readiness asked from the health server's thread."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

from processors.live.app import create_app
from schemas.metrics import Metrics
from schemas.settings import KafkaSettings, LiveSettings, Settings
from schemas.topics import changelogs


def test_asking_whether_it_is_ready_makes_no_consumer(tmp_path: Path) -> None:
    """A consumer belongs to the loop of the thread that makes it; one made by the health server never works."""
    app, worker = create_app(Settings(), Metrics(), tmp_path)
    said: list[str] = []
    thread = Thread(target=lambda: said.append(worker.not_ready()))
    thread.start()
    thread.join()
    assert said == ["waiting for the consumer group to assign partitions"]
    assert app._consumer is None


def test_the_changelogs_made_beforehand_are_those_of_its_tables(tmp_path: Path) -> None:
    settings = Settings(kafka=KafkaSettings(topic_prefix="p_"))
    app, _ = create_app(settings, Metrics(), tmp_path)
    made = {topic.full_name("p_") for topic in changelogs(settings.live.app_id)}
    assert {table.changelog_topic_name for table in app.tables.values()} == made


def test_a_worker_that_is_told_the_time_is_ready_before_anybody_told_it(tmp_path: Path) -> None:
    _, worker = create_app(Settings(live=LiveSettings(clock="topic")), Metrics(), tmp_path)
    assert worker.not_ready() != ""
    worker.joined()
    assert worker.not_ready() == ""
