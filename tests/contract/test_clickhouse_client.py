"""clickhouse-connect's own HTTP client, sync and async, works against the embedded server unchanged."""

import asyncio
import datetime
from collections.abc import Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

from tests.contract.clickhouse_support import ClickHouse, start_clickhouse


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with start_clickhouse(tmp_path_factory.mktemp("client"), "--user", "snag", password="s3cret") as running:
        yield running


@pytest.fixture
def client(server: ClickHouse) -> Iterator[Client]:
    made = clickhouse_connect.get_client(host="127.0.0.1", port=server.port, username="snag", password="s3cret")
    try:
        made.command("DROP TABLE IF EXISTS t")
        made.command(
            "CREATE TABLE t (a UInt64, b LowCardinality(String), c DateTime64(3), d Nullable(Float64), e Array(String),"
            " f Map(String, String)) ENGINE = MergeTree ORDER BY a"
        )
        yield made
    finally:
        made.close()


def test_ping_and_version(client: Client) -> None:
    assert client.ping()
    assert client.server_version.startswith("26.")


def test_insert_and_query_keep_every_type(client: Client) -> None:
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.UTC)
    rows = [[n, f"v{n % 3}", when, None if n % 2 else 1.5, ["a", "\0'\\"], {"k": "ü"}] for n in range(1000)]
    assert client.insert("t", rows, column_names=list("abcdef")).written_rows == 1000
    result = client.query("SELECT * FROM t ORDER BY a", column_tzs={"c": "UTC"}, tz_mode="aware")
    assert [list(row) for row in result.result_rows] == rows
    assert result.column_names == tuple("abcdef")
    assert int(result.summary["read_rows"]) == 1000


def test_client_side_and_server_side_parameters(client: Client) -> None:
    assert client.query("SELECT %(x)s, %(y)s", parameters={"x": "it's \\", "y": [1, 2]}).result_rows == [
        ("it's \\", [1, 2])
    ]
    tricky = "tab\t newline\n quote' back\\ ü \0"
    assert client.query("SELECT {x:String}", parameters={"x": tricky}).result_rows == [(tricky,)]
    assert client.query("SELECT {x:Nullable(Int8)}", parameters={"x": None}).result_rows == [(None,)]
    assert client.query("SELECT {x:Array(UInt8)}", parameters={"x": [1, 2]}).result_rows == [([1, 2],)]


def test_parameters_and_external_data_as_a_form(server: ClickHouse) -> None:
    made = clickhouse_connect.get_client(
        host="127.0.0.1", port=server.port, username="snag", password="s3cret", form_encode_query_params=True
    )
    try:
        assert made.query("SELECT {x:String}", parameters={"x": "tab\t'\\"}).result_rows == [("tab\t'\\",)]
        data = ExternalData(file_name="ext", data=b"1\n2\n", fmt="TSV", structure=["x UInt8"])
        assert made.query("SELECT sum(x) FROM ext", external_data=data).result_rows == [(3,)]
    finally:
        made.close()


def test_settings_of_one_call_do_not_stay(client: Client) -> None:
    query = "SELECT getSetting('max_block_size')"
    assert client.command(query, settings={"max_block_size": 77}) == 77
    assert client.command(query) != 77


def test_session_of_the_client_keeps_set(client: Client) -> None:
    client.command("SET max_threads = 3")
    assert client.command("SELECT getSetting('max_threads')") == 3


def test_raw_query_and_raw_insert(client: Client) -> None:
    assert client.raw_insert("t", ["a"], b"1\n2\n", fmt="TSV").written_rows == 2
    assert client.raw_insert("t", ["a"], (b'{"a":%d}\n' % n for n in range(5)), fmt="JSONEachRow").written_rows == 5
    assert client.raw_query("SELECT count() AS n FROM t", fmt="JSONEachRow") == b'{"n":7}\n'


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_streams_with_each_compression(server: ClickHouse, client: Client, compress: bool | str) -> None:
    made = clickhouse_connect.get_client(
        host="127.0.0.1", port=server.port, username="snag", password="s3cret", compress=compress
    )
    try:
        assert made.insert("t", [[n] for n in range(5000)], column_names=["a"]).written_rows == 5000
        with made.query_row_block_stream("SELECT number, toString(number) FROM numbers(500000)") as stream:
            assert sum(len(block) for block in stream) == 500_000
    finally:
        made.close()


def test_errors_arrive_with_their_code(client: Client) -> None:
    with pytest.raises(DatabaseError, match=r"code: 60.*UNKNOWN_TABLE"):
        client.query("SELECT * FROM nowhere")
    with pytest.raises(DatabaseError, match="code: 60"):
        client.insert("nowhere", [[1]], column_names=["a"], column_type_names=["UInt8"])


def test_error_in_the_middle_of_a_stream_is_raised(client: Client) -> None:
    query = "SELECT number, throwIf(number = 3000000) FROM numbers(10000000)"
    with (
        pytest.raises(StreamFailureError, match="Code: 395"),
        client.query_row_block_stream(query) as stream,
    ):
        for _ in stream:
            pass


async def test_async_client_runs_many_at_once(server: ClickHouse) -> None:
    made = await clickhouse_connect.get_async_client(
        host="127.0.0.1", port=server.port, username="snag", password="s3cret"
    )
    try:
        await made.command("CREATE TABLE IF NOT EXISTS many (a UInt64) ENGINE = MergeTree ORDER BY a")
        answers = await asyncio.gather(
            *[made.command(f"SELECT {number} + sleep(0.05)") for number in range(20)],
            *[made.insert("many", [[number]], column_names=["a"]) for number in range(20)],
        )
        assert answers[:20] == list(range(20))
        assert await made.command("SELECT uniqExact(a) FROM many") == 20
    finally:
        await made.close()


def test_wrong_password_is_refused(server: ClickHouse) -> None:
    with pytest.raises(DatabaseError, match="516"):
        clickhouse_connect.get_client(host="127.0.0.1", port=server.port, username="snag", password="no")
