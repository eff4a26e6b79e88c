from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.migrations import (
    Migration,
    MigrationError,
    load_migrations,
    load_query,
    query_names,
    split_statements,
)

REPEATABLE = re.compile(
    r"^(CREATE TABLE IF NOT EXISTS|CREATE OR REPLACE VIEW|DROP (TABLE|VIEW) IF EXISTS"
    r"|ALTER TABLE \w+ (ADD|DROP|COMMENT|MODIFY) (COLUMN|INDEX|CONSTRAINT) IF (NOT )?EXISTS)\b"
)


def files(directory: Path, **contents: str) -> Path:
    for name, text in contents.items():
        (directory / f"{name}.sql").write_text(text)
    return directory


@pytest.mark.parametrize("migration", load_migrations(), ids=lambda m: m.file_name)
def test_every_statement_can_be_repeated(migration: Migration) -> None:
    for statement in migration.statements:
        assert REPEATABLE.match(statement), f"{migration.file_name}: two processes may run it: {statement[:60]}"


@pytest.mark.parametrize("migration", load_migrations(), ids=lambda m: m.file_name)
def test_no_statement_names_a_database(migration: Migration) -> None:
    for statement in migration.statements:
        assert not re.search(r"\b(snag|default)\.", statement)


def test_migrations_come_in_order_with_their_checksums(tmp_path: Path) -> None:
    files(tmp_path, **{"0002_b": "SELECT 2", "0001_a": "-- first\nSELECT 1;\nSELECT 11;\n"})
    first, second = load_migrations(tmp_path)
    assert (first.version, first.name, first.statements) == (1, "a", ("SELECT 1", "SELECT 11"))
    assert second.file_name == "0002_b.sql"
    files(tmp_path, **{"0002_b": "SELECT 3"})
    assert load_migrations(tmp_path)[1].checksum != second.checksum
    assert load_migrations(tmp_path)[0].checksum == first.checksum


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"add_country": "SELECT 1"}, r"add_country\.sql: the name must be like 0007_add_country\.sql"),
        ({"0002_b": "SELECT 1"}, r"0002_b\.sql: expected number 0001"),
        ({"0001_a": "SELECT 1", "0001_b": "SELECT 1"}, r"0001_b\.sql: expected number 0002"),
        ({"0001_a": "-- nothing\n;\n"}, r"0001_a\.sql: no SQL statement"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, contents: dict[str, str], message: str) -> None:
    with pytest.raises(MigrationError, match=message):
        load_migrations(files(tmp_path, **contents))


def test_statements_end_at_semicolons_outside_of_quotes_and_comments() -> None:
    sql = "SELECT ';', 'it''s -- no comment', '\\';' AS `a;b` -- a; comment\n, 1 - 2;\n\n-- only; this\n;SELECT 2"
    assert split_statements(sql) == ["SELECT ';', 'it''s -- no comment', '\\';' AS `a;b` \n, 1 - 2", "SELECT 2"]


def test_public_queries_are_found_by_name() -> None:
    assert query_names() == ["error_rate", "friction", "funnel", "funnel_live", "logins", "sessions", "uptime"]
    assert "v_funnel(" in load_query("funnel")
    with pytest.raises(
        MigrationError, match="Known: error_rate, friction, funnel, funnel_live, logins, sessions, uptime"
    ):
        load_query("revenue")
