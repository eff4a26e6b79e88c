"""What the writer asks of ClickHouse, on the real engine: migrations and inserts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from clickhouse_connect.driver import Client

from processors.writer.clickhouse import connect
from processors.writer.failure import RowsRefusedError
from processors.writer.insert import Inserter, UnavailableError
from processors.writer.migrate import migrate
from schemas.migrations import MigrationError, load_migrations
from schemas.settings import ClickHouseSettings
from tests.support.ports import free_port
from tests.support.stack import ClickHouseServer

pytestmark = pytest.mark.integration

GOOD = b'{"event_id":"%d","site":"shop","kind":"clickstream","type":"click","ts":"2026-11-23T12:00:00.000Z"}'


@pytest.fixture
def settings(clickhouse: ClickHouseServer) -> ClickHouseSettings:
    return ClickHouseSettings(url=clickhouse.url, database=f"m{uuid.uuid4().hex[:10]}")


@pytest.fixture
def db(settings: ClickHouseSettings) -> Iterator[Client]:
    migrate(settings)
    client = connect(settings)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def inserter(db: Client, settings: ClickHouseSettings) -> Iterator[Inserter]:
    made = Inserter(settings)
    try:
        yield made
    finally:
        made.close()


def test_migrate_makes_the_database_and_does_nothing_the_second_time(settings: ClickHouseSettings) -> None:
    assert migrate(settings) == [migration.file_name for migration in load_migrations()]
    assert migrate(settings) == []


def test_migrate_applies_what_is_new_and_goes_on_after_an_interruption(
    settings: ClickHouseSettings, db: Client
) -> None:
    known = load_migrations()
    new = replace(
        known[-1], version=len(known) + 1, name="new", statements=("CREATE OR REPLACE VIEW v_one AS SELECT 1",)
    )
    db.command(new.statements[0])  # ran, but was not noted
    assert migrate(settings, [*known, new]) == [new.file_name]
    assert db.query("SELECT * FROM v_one").result_rows[0][0] == 1


def test_migrate_refuses_an_applied_file_that_has_changed(settings: ClickHouseSettings, db: Client) -> None:
    first, *others = load_migrations()
    with pytest.raises(
        MigrationError, match=r"0001_raw_tables\.sql was applied and has been changed .* Restore the file"
    ):
        migrate(settings, [replace(first, checksum="other"), *others])


def test_migrate_refuses_a_database_of_a_newer_version(settings: ClickHouseSettings, db: Client) -> None:
    with pytest.raises(MigrationError, match="Run the newer version"):
        migrate(settings, load_migrations()[:-1])


def test_several_may_migrate_at_once(settings: ClickHouseSettings) -> None:
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(migrate, settings) for _ in range(4)]:
            future.result()
    client = connect(settings)
    try:
        journal = client.query("SELECT version FROM schema_migrations FINAL ORDER BY version").result_columns[0]
        assert list(journal) == [migration.version for migration in load_migrations()]
    finally:
        client.close()


def test_an_insert_is_in_the_table_when_it_is_answered(inserter: Inserter, db: Client) -> None:
    inserter.insert("clickstream", b"\n".join(GOOD % n for n in range(100)), "token")
    assert db.query("SELECT count() FROM clickstream").result_rows[0][0] == 100


def test_a_repeat_within_one_insert_counts_once(inserter: Inserter, db: Client) -> None:
    inserter.insert("clickstream", b"\n".join([GOOD % 1, GOOD % 2, GOOD % 1]), "token")
    assert db.query("SELECT count() FROM clickstream FINAL").result_rows[0][0] == 2


@pytest.mark.parametrize(
    ("poison", "name"),
    [
        (b'{"event_id":"x","site":"shop","type":"click","ts":"yesterday"}', "CANNOT_PARSE_DATETIME"),
        (b'{"event_id":"x","site":"shop","type":"click","is_bot":"perhaps"}', "CANNOT_PARSE_BOOL"),
        (b'{"event_id":"x","site":"shop","type":"click","x":"left"}', "CANNOT_PARSE_NUMBER"),
        (b'{"event_id":"x","site":"shop","type":"click","props":[1]}', "CANNOT_PARSE_INPUT_ASSERTION_FAILED"),
        (b'{"event_id":"x","event_id":"y","site":"shop","type":"click"}', "INCORRECT_DATA"),
        (b'{"event_id":"x", "title": "cut', "CANNOT_PARSE_QUOTED_STRING"),
        (b"{}", "VIOLATED_CONSTRAINT"),
        (b"[]", "CANNOT_PARSE_INPUT_ASSERTION_FAILED"),
        (b"5", "CANNOT_PARSE_INPUT_ASSERTION_FAILED"),
        (b"null", "CANNOT_PARSE_INPUT_ASSERTION_FAILED"),
        (b'"text"', "CANNOT_PARSE_INPUT_ASSERTION_FAILED"),
        (b"<html>", "CANNOT_PARSE_INPUT_ASSERTION_FAILED"),
    ],
)
def test_a_bad_row_is_the_rows_fault_and_the_insert_is_all_or_nothing(
    inserter: Inserter, db: Client, poison: bytes, name: str
) -> None:
    with pytest.raises(RowsRefusedError) as refusal:
        inserter.insert("clickstream", b"\n".join([GOOD % 1, poison]), "token")
    assert refusal.value.name == name
    assert "http" not in str(refusal.value)
    assert db.query("SELECT count() FROM clickstream").result_rows[0][0] == 0


def test_unknown_fields_never_stop_a_row(inserter: Inserter, db: Client) -> None:
    inserter.insert("clickstream", (GOOD % 1).replace(b"{", b'{"new":{"a":[1]},', 1), "token")
    assert db.query("SELECT count() FROM clickstream").result_rows[0][0] == 1


def test_a_missing_table_or_database_or_server_is_an_outage(settings: ClickHouseSettings, inserter: Inserter) -> None:
    with pytest.raises(UnavailableError, match="UNKNOWN_TABLE"):
        inserter.insert("nowhere", GOOD % 1, "token")
    missing = Inserter(settings.model_copy(update={"database": "nowhere"}))
    with pytest.raises(UnavailableError, match="UNKNOWN_DATABASE"):
        missing.insert("clickstream", GOOD % 1, "token")
    silent = Inserter(settings.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"}))
    with pytest.raises(UnavailableError):
        silent.insert("clickstream", GOOD % 1, "token")
