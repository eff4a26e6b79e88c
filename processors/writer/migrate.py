"""Brings ClickHouse to the schema of `schemas/clickhouse/`: `python -m processors.writer migrate`.

ClickHouse has no lock and no transaction around DDL. So every statement can be repeated (IF NOT EXISTS, OR REPLACE; a
test holds the files to it), a migration is noted after it ran, and two processes at once do the same work twice with
the same outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from clickhouse_connect.driver import Client

from processors.writer.clickhouse import connect
from schemas.migrations import Migration, MigrationError, load_migrations
from schemas.settings import ClickHouseSettings

_JOURNAL: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    `version` UInt32 COMMENT 'Number of the migration',
    `name` String COMMENT 'Name of the migration',
    `checksum` String COMMENT 'SHA-256 of the file as it was applied',
    `applied_at` DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY version
COMMENT 'Which migrations were applied'
"""


def migrate(settings: ClickHouseSettings, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Create the database if missing and apply what was not applied yet; returns the file names applied.

    Raises:
        MigrationError: an applied file has changed, or the database is ahead of these files.
        clickhouse_connect's DatabaseError: ClickHouse does not answer or refuses a statement.
    """
    wanted = load_migrations() if migrations is None else tuple(migrations)
    _create_database(settings)
    client = connect(settings)
    try:
        client.command(_JOURNAL)
        pending = _pending(wanted, _applied(client))
        for migration in pending:
            for statement in migration.statements:
                client.command(statement)
            client.insert(
                "schema_migrations",
                [[migration.version, migration.name, migration.checksum]],
                column_names=["version", "name", "checksum"],
                settings={"async_insert": 0},
            )
        return [migration.file_name for migration in pending]
    finally:
        client.close()


def _create_database(settings: ClickHouseSettings) -> None:
    client = connect(settings, database="default")
    try:
        client.command(f"CREATE DATABASE IF NOT EXISTS `{settings.database}`")  # settings allow word characters only
    finally:
        client.close()


def _applied(client: Client) -> dict[int, str]:
    rows = client.query("SELECT version, checksum FROM schema_migrations FINAL").result_rows
    return {int(version): str(checksum) for version, checksum in rows}


def _pending(wanted: Sequence[Migration], applied: dict[int, str]) -> list[Migration]:
    if unknown := set(applied) - {migration.version for migration in wanted}:
        raise MigrationError(
            f"the database has migration {max(unknown):04}, which this version of Snag does not know. "
            "Run the newer version, or use another database (SNAG_CLICKHOUSE__DATABASE)."
        )
    for migration in wanted:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"migration {migration.file_name} was applied and has been changed since. "
                "Restore the file and put the change into a new, higher number."
            )
    return [migration for migration in wanted if migration.version not in applied]
