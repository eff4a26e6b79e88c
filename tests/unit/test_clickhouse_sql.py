"""Where an INSERT's data begins, and which format a statement asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.errors import ClickHouseError
from deploy.local.clickhouse.sql import InsertHead, NeedMore, first_words, insert_head, shape


@pytest.mark.parametrize(
    ("head", "format_name", "sql"),
    [
        (b"INSERT INTO t FORMAT JSONEachRow\n", "JSONEachRow", "INSERT INTO t "),
        (b"insert into t format CSV \t\r\n", "CSV", "insert into t "),
        (b"INSERT INTO t (a, `b)`) SETTINGS x = 'FORMAT' FORMAT Native ", "Native", None),
        (b"INSERT INTO db.format (values) VALUES", "Values", "INSERT INTO db.format (values) "),
        (b"INSERT INTO `values` VALUES ", "Values", None),
        (b"INSERT INTO TABLE FUNCTION file('SELECT', 'CSV') FORMAT CSV\n", "CSV", None),
        (b"/* SELECT */ INSERT -- x FORMAT y\n INTO t FORMAT TSV\n", "TSV", None),
        (b"INSERT INTO {t:Identifier} (a) FORMAT TSV\n", "TSV", None),
    ],
)
def test_data_starts_after_the_head(head: bytes, format_name: str, sql: str | None) -> None:
    data = b"\x00\xff SELECT ' FORMAT"
    found = insert_head(head + data, complete=True)
    assert found is not None
    assert found.format == format_name
    assert (head + data)[found.data_start :].lstrip(b" ") == data
    assert sql is None or found.sql == sql


@pytest.mark.parametrize(
    "statement",
    [
        b"SELECT 1", b"", b"INSERT INTO t SELECT 1", b"INSERT INTO t (a) WITH 1 AS x SELECT x",
        b"INSERT INTO t (SELECT 1)", b"INSERT INTO t", b"INSERT", b"INSERT INTO t (a) FORMAT",
        b"CREATE TABLE insert (a UInt8) ENGINE = Memory",
    ],
)  # fmt: skip
def test_other_statements_have_no_head(statement: bytes) -> None:
    assert insert_head(statement, complete=True) is None


def test_infile_is_refused() -> None:
    with pytest.raises(ClickHouseError, match="INFILE"):
        insert_head(b"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", complete=True)


@given(st.integers(0, 200))
def test_a_head_cut_anywhere_asks_for_more_or_is_the_same(cut: int) -> None:
    whole = b"INSERT INTO db.t (a, b) SETTINGS async_insert = 0 FORMAT JSONEachRow\n" + b'{"a":1}' * 20
    expected = insert_head(whole, complete=True)
    try:
        found: InsertHead | None = insert_head(whole[:cut], complete=False)
    except NeedMore:
        return
    assert found == expected


@pytest.mark.parametrize(
    ("statement", "asked", "streams"),
    [
        (b"SELECT 1", None, True),
        (b"select 1 format JSON", "JSON", True),
        (b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1;", "JSON", True),
        (b"SELECT 1 SETTINGS max_threads = 1 FORMAT CSV ;", "CSV", True),
        (b"SELECT format FROM t", None, True),
        (b"SELECT 1 AS format", None, True),
        (b"SELECT format x, 1", None, True),
        (b"SELECT * FROM (SELECT 1 FORMAT Null)", None, True),
        (b"SELECT ' FORMAT JSON' -- FORMAT CSV", None, True),
        (b"WITH 1 AS x SELECT x FORMAT TSV", "TSV", True),
        (b"(SELECT 1) UNION ALL (SELECT 2) FORMAT XML", "XML", True),
        (b"SHOW TABLES FORMAT JSON", "JSON", False),
        (b"CREATE TABLE t (format String) ENGINE = Memory", None, False),
    ],
)
def test_format_clause(statement: bytes, asked: str | None, streams: bool) -> None:
    found = shape(statement)
    assert (found.format, found.streams) == (asked, streams)


@pytest.mark.parametrize(
    "statement", [b"SELECT 1; SELECT 2", b"SELECT 1 INTO OUTFILE 'x'", b"INSERT INTO t SELECT * FROM input('a Int8')"]
)
def test_refused_statements(statement: bytes) -> None:
    with pytest.raises(ClickHouseError):
        shape(statement)


def test_semicolons_in_literals_are_no_end() -> None:
    assert shape(b"SELECT ';', $$;$$, `a;b` /* ; */ ; ").format is None


def test_first_words() -> None:
    assert first_words(b" -- c\n create temporary table x") == ("CREATE", "TEMPORARY", "TABLE")
