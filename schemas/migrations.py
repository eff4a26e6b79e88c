"""The numbered ClickHouse migrations and the public queries, read from `schemas/clickhouse/`. Reads files only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

_FILE_NAME: Final = re.compile(r"^(?P<version>\d{4})_(?P<name>[a-z][a-z0-9_]*)\.sql$")
_PIECE: Final = re.compile(r"--[^\n]*|'(?:[^'\\]|\\.|'')*'|`[^`]*`|;|[^;'`-]+|-", re.DOTALL)


class MigrationError(Exception):
    """Migrations that cannot be used; the text names the file, the cause and the fix."""


@dataclass(frozen=True)
class Migration:
    """One file: its number, its name without the number, its checksum (SHA-256, hex) and its SQL statements."""

    version: int
    name: str
    checksum: str
    statements: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """The file's name, as people know it."""
        return f"{self.version:04}_{self.name}.sql"


def load_migrations(directory: Path | None = None) -> tuple[Migration, ...]:
    """The migrations in `directory` (Snag's own if None), in order.

    Raises MigrationError for a file name without a number, a number used twice or left out, a file without SQL.
    """
    root = directory or _root()
    found = [_load(path) for path in sorted(root.glob("*.sql"))]
    for expected, migration in enumerate(found, start=1):
        if migration.version != expected:
            raise MigrationError(
                f"migration {migration.file_name}: expected number {expected:04} here. "
                "Numbers start at 0001 and none is used twice or left out; rename the file."
            )
    return tuple(found)


def load_query(name: str) -> str:
    """The public query `name`: SQL on the views, ready to copy. Raises MigrationError when there is none."""
    path = _root() / "queries" / f"{name}.sql"
    if not path.is_file():
        raise MigrationError(f"there is no query {name!r}. Known: {', '.join(query_names())}.")
    return path.read_text()


def query_names() -> list[str]:
    """Names of the public queries."""
    return sorted(path.stem for path in (_root() / "queries").glob("*.sql"))


def split_statements(sql: str) -> list[str]:
    """The statements of `sql`, without comments and semicolons; both may stand in quotes."""
    return [statement for statement in _statements(sql) if statement]


def _statements(sql: str) -> Iterator[str]:
    statement = ""
    for piece in _PIECE.findall(sql):
        if piece == ";":
            yield statement.strip()
            statement = ""
        elif not piece.startswith("--"):
            statement += piece
    yield statement.strip()


def _load(path: Path) -> Migration:
    match = _FILE_NAME.match(path.name)
    if match is None:
        raise MigrationError(f"migration {path.name}: the name must be like 0007_add_country.sql. Rename the file.")
    text = path.read_text()
    statements = split_statements(text)
    if not statements:
        raise MigrationError(f"migration {path.name}: no SQL statement in it. Fill or delete the file.")
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return Migration(int(match["version"]), match["name"], checksum, tuple(statements))


def _root() -> Path:
    return Path(str(files("schemas"))) / "clickhouse"
