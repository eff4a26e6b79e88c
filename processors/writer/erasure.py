"""Forgetting: deletes what listed visitors and users left in every table, and what still arrives under their ids.

The list is the table `erasures`. An entry counts for `writer.erase_for_days` after it was asked for, for rows of any
age: events that waited in a spool or an offline phone, a replay of Kafka, and rows that the live workers derive again
from the state they still hold are deleted by a later sweep. Then the entry itself is deleted; it is personal data too.

A sweep uses lightweight deletes: the rows are gone for every reader when it returns. Their bytes leave the disk with
the next merge, at the latest when a later sweep applies the deletion to parts that were marked PURGE_AFTER_S ago.
"""

# ruff: noqa: S608 - table names are this project's own, ids are quoted by `_quoted`
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import msgspec
from clickhouse_connect.driver import Client

from schemas.topics import ERASURES, REJECTED, TABLE_OF_TOPIC

PURGE_AFTER_S: Final = 24 * 3600
"""Rewriting a part costs as much as a merge, so it is left to merges for a day."""

ERASURES_TABLE: Final = TABLE_OF_TOPIC[ERASURES.name]
_REJECTED_TABLE: Final = TABLE_OF_TOPIC[REJECTED.name]

_IDS_A_STATEMENT: Final = 500  # keeps a statement far below ClickHouse's 256 KiB
_NEEDLES_A_STATEMENT: Final = 200  # multiSearchAny takes 255

_DELETE_SETTINGS: Final = {"lightweight_deletes_sync": 2, "mutations_sync": 2}  # wait until the rows are gone

Pair = tuple[str, str]
"""(site, id of a visitor or a user)."""


@dataclass
class Listed:
    """Who is to be forgotten."""

    visitors: list[Pair] = field(default_factory=list)
    users: list[Pair] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.visitors or self.users)


def sweep(client: Client, erase_for_days: int, *, purge_after_s: int = PURGE_AFTER_S) -> dict[str, int]:
    """Delete the rows of everybody on the list; returns how many rows of which table.

    Raises clickhouse_connect's Error; what was not deleted is at the next sweep.
    """
    _delete(client, ERASURES_TABLE, f"requested_at < now64(3) - INTERVAL {int(erase_for_days)} DAY")
    deleted: dict[str, int] = {}
    if listed := _listed(client):
        tables = _tables(client)
        if listed.users:
            _list_visitors_of(client, listed.users, tables)
            listed = _listed(client)
        for table, columns in tables.items():
            count = sum(_delete(client, table, condition) for condition in _conditions(listed, columns))
            if count:
                deleted[table] = count
        if count := sum(_delete(client, _REJECTED_TABLE, condition) for condition in _mentions(listed)):
            deleted[_REJECTED_TABLE] = count
    _purge(client, purge_after_s)
    return deleted


def _listed(client: Client) -> Listed:
    listed = Listed()
    rows = client.query(f"SELECT site, visitor_id, user_id FROM {ERASURES_TABLE} FINAL").result_rows
    for site, visitor_id, user_id in rows:
        if visitor_id:
            listed.visitors.append((site, visitor_id))
        if user_id:
            listed.users.append((site, user_id))
    return listed


def _tables(client: Client) -> dict[str, set[str]]:
    """Every table with rows of visitors, and which of the columns `visitor_id` and `user_id` it has."""
    found: dict[str, set[str]] = {}
    rows = client.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() "
        "AND name IN ('visitor_id', 'user_id') AND table IN "
        "(SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')"
    ).result_rows
    for table, column in rows:
        if table != ERASURES_TABLE:
            found.setdefault(table, set()).add(column)
    return found


def _list_visitors_of(client: Client, users: Sequence[Pair], tables: dict[str, set[str]]) -> None:
    """Put the visitor ids seen with `users` onto the list: by them the tables are cleaned that know no users."""
    for table, columns in tables.items():
        if columns != {"visitor_id", "user_id"}:
            continue
        for part in _parts(users, _IDS_A_STATEMENT):
            client.command(
                f"INSERT INTO {ERASURES_TABLE} (site, visitor_id, requested_at) "
                f"SELECT DISTINCT seen.site, seen.visitor_id, asked.requested_at FROM {table} AS seen INNER JOIN "
                f"(SELECT site, user_id, requested_at FROM {ERASURES_TABLE} FINAL WHERE user_id != '') AS asked "
                f"USING (site, user_id) WHERE (seen.site, seen.user_id) IN {_tuples(part)} AND seen.visitor_id != '' "
                f"AND (seen.site, seen.visitor_id) NOT IN (SELECT site, visitor_id FROM {ERASURES_TABLE})",
                settings={"async_insert": 0},
            )


def _conditions(listed: Listed, columns: set[str]) -> Iterator[str]:
    for column, pairs in (("visitor_id", listed.visitors), ("user_id", listed.users)):
        if column in columns:
            for part in _parts(pairs, _IDS_A_STATEMENT):
                yield f"(site, {column}) IN {_tuples(part)}"


def _mentions(listed: Listed) -> Iterator[str]:
    """Conditions for refused originals that name somebody, as a JSON text or number; rather one too many."""
    for site, pairs in groupby(sorted({*listed.visitors, *listed.users}), key=lambda pair: pair[0]):
        needles = [needle for _, name in pairs for needle in _spellings(name)]
        for part in _parts(needles, _NEEDLES_A_STATEMENT):
            yield f"site = {_quoted(site)} AND multiSearchAny(raw, [{', '.join(map(_quoted, part))}])"


def _spellings(name: str) -> Iterator[str]:
    yield msgspec.json.encode(name).decode()
    if name.isdecimal():
        yield from (f"{before}{name}{after}" for before in (":", ": ") for after in (",", "}", "]"))


def _delete(client: Client, table: str, condition: str) -> int:
    """How many rows of `table` matched, and are gone now. Without a match nothing is written."""
    count = int(client.query(f"SELECT count() FROM {table} WHERE {condition}").result_rows[0][0])
    if count:
        client.command(f"DELETE FROM {table} WHERE {condition}", settings=_DELETE_SETTINGS)
    return count


def _purge(client: Client, after_s: int) -> None:
    """Take rows off the disk that were deleted `after_s` ago and that no merge has taken since."""
    rows = client.query(
        "SELECT DISTINCT table FROM system.parts WHERE database = currentDatabase() AND active "
        f"AND has_lightweight_delete AND modification_time <= now() - {int(after_s)}"
    ).result_rows
    for (table,) in rows:
        client.command(f"ALTER TABLE {table} APPLY DELETED MASK", settings=_DELETE_SETTINGS)


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _tuples(pairs: Sequence[Pair]) -> str:
    return "(" + ", ".join(f"({_quoted(site)}, {_quoted(name)})" for site, name in pairs) + ")"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
