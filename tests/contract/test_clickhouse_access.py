"""What a user of the embedded server cannot reach: files, hosts and programs of the machine it runs on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.clickhouse_support import Answer, ClickHouse, start_clickhouse

SECRET = "the-secret-in-the-file"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with start_clickhouse(tmp_path_factory.mktemp("access")) as running:
        running.ask("CREATE TABLE t (a String, file String) ENGINE = MergeTree ORDER BY a")
        yield running


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outside") / "secret.csv"
    path.write_text(SECRET + "\n")
    return path


def denied(answer: Answer) -> None:
    assert SECRET not in answer.text
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (403, "497"), answer.text
    assert "ACCESS_DENIED" in answer.text


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM file('{path}', 'LineAsString')",
        "SELECT * FROM `file`('{path}', 'LineAsString')",
        "INSERT INTO FUNCTION file('{path}.new', 'TSV') SELECT 1",
        "INSERT INTO FUNCTION file('{path}.new', 'TSV', 'a String') VALUES ('x')",
        "CREATE TABLE outside (a String) ENGINE = File(TSV, '{path}')",
        "CREATE TABLE outside (a String) ENGINE = URL('http://127.0.0.1:1/', TSV)",
        "SELECT * FROM url('http://127.0.0.1:1/', 'TSV', 'a String')",
        "SELECT * FROM s3('http://localhost:1/bucket/x', 'TSV', 'a String')",
        "SELECT * FROM remote('127.0.0.1:1', system.one)",
        "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
        "SELECT * FROM sqlite('{path}', 't')",
        "SELECT * FROM executable('cat {path}', 'TSV', 'a String')",
        "SELECT * FROM python('reader')",
        "SELECT * FROM eval('SELECT 1') SETTINGS allow_experimental_eval_table_function = 1",
        "CREATE TABLE outside (a String) ENGINE = MySQL('127.0.0.1:1', 'd', 't', 'u', 'p')",
        "CREATE DATABASE outside ENGINE = SQLite('{path}.db')",
        "CREATE DATABASE outside ENGINE = MySQL('127.0.0.1:1', 'd', 'u', 'p')",
        """CREATE DICTIONARY d (a String) PRIMARY KEY a SOURCE(FILE(path '{path}' format 'TSV'))
           LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)""",
        "BACKUP TABLE t TO File('{path}.backup')",
        "SELECT file('{path}')",
        "SELECT file /* here */ ('{path}')",
        "SELECT `file`('{path}')",
        "SELECT \"file\"('{path}')",
        r"SELECT `f\x69le`('{path}')",
        "SELECT arrayMap(file, ['{path}'])",
        "SELECT arrayMap((file), ['{path}'])",
        "SELECT * APPLY file FROM (SELECT '{path}')",
        "CREATE FUNCTION reader AS x -> file(x)",
        "CREATE VIEW v AS SELECT file('{path}')",
        r"SELECT 1 SETTINGS additional_result_filter = 'file(\'{path}\') = 1'",
        "INSERT INTO t (a) VALUES (file('{path}'))",
        "INSERT INTO t (a, file) SELECT file('{path}'), ''",
        "CREATE USER other",
        "SYSTEM SHUTDOWN",
    ],
)
def test_reaching_outside_is_denied(server: ClickHouse, secret: Path, statement: str) -> None:
    denied(server.request(body=statement.replace("{path}", str(secret)).encode()))
    assert sorted(path.name for path in secret.parent.iterdir()) == [secret.name]


def test_parameters_and_settings_hide_no_function(server: ClickHouse, secret: Path) -> None:
    denied(server.request(f"SELECT arrayMap({{f:Identifier}}, ['{secret}'])", param_f="file"))
    denied(server.request("SELECT 1", additional_result_filter=f"file('{secret}') = ''"))
    denied(server.request("SET param_f = 'file'", session_id="s"))


def test_file_names_are_no_tables(server: ClickHouse, secret: Path) -> None:
    answer = server.request(f"SELECT * FROM `{secret}`")
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (404, "60")
    denied(server.request(f"CREATE DATABASE folder ENGINE = Filesystem('{secret.parent}')"))


def test_a_column_may_have_such_a_name(server: ClickHouse) -> None:
    server.ask("TRUNCATE TABLE t")
    server.ask("INSERT INTO t (a, file) VALUES ('file(1)', 'x')")
    assert server.request("INSERT INTO t (file) FORMAT TSV", b"file('y')\n").status == 200
    assert (
        server.ask("SELECT file, count() FROM t WHERE file != '' GROUP BY file ORDER BY file")
        == "file(\\'y\\')\t1\nx\t1"
    )
    assert server.ask("SELECT uniq(t.file) FROM t") == "2"
    assert server.ask("SELECT 'file(1)' = {p:String}", param_p="file(1)") == "1"


def test_tables_stay_through_a_restart(tmp_path: Path) -> None:
    for number in range(3):
        with start_clickhouse(tmp_path) as running:
            running.ask("CREATE TABLE IF NOT EXISTS kept (a UInt64) ENGINE = MergeTree ORDER BY a")
            running.ask(f"INSERT INTO kept VALUES ({number})")
            assert running.ask("SELECT count() FROM default.kept") == str(number + 1)
            assert running.stop() == 0


def test_an_empty_default_database_stays_through_a_kill_and_a_stop(tmp_path: Path) -> None:
    for end in ("kill", "stop", "kill"):
        with start_clickhouse(tmp_path) as running:
            assert running.ask("SELECT engine FROM system.databases WHERE name = 'default'") == "Atomic"
            assert running.ask("SHOW TABLES FROM default") == ""
            getattr(running, end)()
