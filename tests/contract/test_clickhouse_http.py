"""ClickHouse's HTTP interface on the wire: routes, parameters, formats, errors, compression."""

import base64
import gzip
import http.client
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from deploy.local.clickhouse.blocks import BlockDecoder, BlockEncoder
from tests.contract.clickhouse_support import ClickHouse, start_clickhouse


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with start_clickhouse(tmp_path_factory.mktemp("http")) as running:
        yield running


@pytest.fixture
def table(server: ClickHouse) -> str:
    server.ask("DROP TABLE IF EXISTS t")
    server.ask("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    return "t"


@pytest.mark.parametrize("path", ["/ping", "/replicas_status", "/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_routes_answer_ok(server: ClickHouse, path: str, method: str) -> None:
    answer = server.request(path=path, method=method)
    assert (answer.status, answer.body) == (200, b"Ok.\n" if method == "GET" else b"")


def test_unknown_path_is_404(server: ClickHouse) -> None:
    assert server.request(path="/nothing").status == 404


def test_query_may_stand_in_the_url_the_body_or_both(server: ClickHouse) -> None:
    assert server.request("SELECT 1", method="GET").body == b"1\n"
    assert server.request(body=b"SELECT 2").body == b"2\n"
    assert server.request("SELECT 3 +", b"4").body == b"7\n"


def test_answer_carries_clickhouse_headers(server: ClickHouse) -> None:
    answer = server.request("SELECT number FROM numbers(10) FORMAT JSONEachRow", query_id="mine")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"
    assert answer.headers["x-clickhouse-query-id"] == "mine"
    assert answer.headers["x-clickhouse-timezone"]
    assert answer.headers["x-clickhouse-server-display-name"]
    summary = json.loads(answer.headers["x-clickhouse-summary"])
    assert (summary["read_rows"], summary["result_rows"], summary["written_rows"]) == ("10", "10", "0")
    assert int(summary["elapsed_ns"]) > 0


@pytest.mark.parametrize("where", ["url", "header"])
def test_default_format(server: ClickHouse, where: str) -> None:
    if where == "url":
        answer = server.request("SELECT 1 AS x", default_format="JSONEachRow")
    else:
        answer = server.request("SELECT 1 AS x", headers={"X-ClickHouse-Format": "JSONEachRow"})
    assert answer.body == b'{"x":1}\n'
    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"


@pytest.mark.parametrize(
    "format_name",
    [
        "TabSeparated", "TabSeparatedWithNames", "TabSeparatedWithNamesAndTypes", "CSV", "CSVWithNames",
        "CSVWithNamesAndTypes", "JSON", "JSONCompact", "JSONEachRow", "JSONCompactEachRowWithNames", "Native",
        "RowBinary", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes", "Parquet", "Arrow", "ArrowStream",
        "Pretty", "Vertical", "Values", "XML", "MsgPack",
    ],
)  # fmt: skip
def test_large_result_is_one_document_of_its_format(server: ClickHouse, tmp_path: Path, format_name: str) -> None:
    """A streamed result must equal what the engine writes at once: headers once, one file, nothing missing."""
    if "Names" in format_name or format_name in ("CSV", "JSONEachRow", "Native", "TabSeparated"):
        query = 'SELECT number AS "a\n,""b", toString(number) AS s FROM numbers(200000)'
        streamed = server.request(f"{query} FORMAT {format_name}")
        write = "import sys; from chdb import _chdb; _chdb.connect('').query(sys.argv[1], 'Null', params={})"
        whole = tmp_path / "whole"
        sql = f"INSERT INTO FUNCTION file('{whole}', '{format_name}') {query}"
        subprocess.run([sys.executable, "-c", write, sql], check=True)
        assert streamed.body == whole.read_bytes()
        return
    rows = 70_000
    server.ask("DROP TABLE IF EXISTS back")
    server.ask("CREATE TABLE back (a UInt64, s String) ENGINE = Memory")
    written = server.request(f"SELECT number AS a, toString(number) AS s FROM numbers({rows}) FORMAT {format_name}")
    assert written.status == 200
    if format_name in ("Pretty", "Vertical", "XML"):
        assert len(written.body) > 10_000
        return
    stored = server.request(f"INSERT INTO back FORMAT {format_name}", written.body)
    assert stored.status == 200, stored.text
    assert server.ask("SELECT count(), sum(a), uniqExact(s) FROM back") == f"{rows}\t{rows * (rows - 1) // 2}\t{rows}"


def test_totals_and_empty_headers_survive_streaming(server: ClickHouse) -> None:
    query = "SELECT number % 2 AS k, count() FROM numbers(4) GROUP BY k WITH TOTALS ORDER BY k"
    assert server.ask(query) == "0\t2\n1\t2\n\n0\t4"
    assert server.ask("SELECT 1 AS x WHERE 0 FORMAT TabSeparatedWithNames") == "x"


def test_parameters_use_clickhouse_escaping(server: ClickHouse) -> None:
    assert server.ask("SELECT {a:String}", param_a=r"tab\tback\\quote'") == r"tab\tback\\quote" + r"\'"
    assert server.ask("SELECT {n:Nullable(UInt8)}", param_n=r"\N") == r"\N"
    assert server.ask("SELECT {l:Array(String)}", param_l="['x','y']") == "['x','y']"
    assert server.ask("SELECT name FROM {d:Identifier}.databases WHERE name = 'system'", param_d="system") == "system"
    refused = server.request("SELECT {n:UInt8}", param_n="x")
    assert (refused.status, refused.headers["x-clickhouse-exception-code"]) == (500, "457")


def test_url_parameters_are_settings_of_that_query_only(server: ClickHouse) -> None:
    assert server.ask("SELECT getSetting('max_block_size')", max_block_size="77") == "77"
    assert server.ask("SELECT getSetting('max_block_size')") != "77"
    refused = server.request("SELECT 1", no_such_setting="1")
    assert (refused.status, refused.headers["x-clickhouse-exception-code"]) == (404, "115")


def test_server_defaults_make_an_answer_mean_written(server: ClickHouse) -> None:
    assert server.ask("SELECT getSetting('async_insert')") == "false"


@pytest.mark.parametrize(
    ("query", "status", "code", "name"),
    [
        ("SELECT * FROM nowhere", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT * FROM nowhere.t", 404, 81, "UNKNOWN_DATABASE"),
        ("SELECT nothing", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT FROM WHERE", 400, 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT 1 FORMAT Nonsense", 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT 1 INTO OUTFILE 'x'", 500, 358, "INTO_OUTFILE_NOT_ALLOWED"),
        ("INSERT INTO t SELECT * FROM input('a UInt64, b String') FORMAT CSV 1,x", 501, 48, "NOT_IMPLEMENTED"),
        ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", 500, 358, "INTO_OUTFILE_NOT_ALLOWED"),
        (
            "SELECT sum(cityHash64(number)) FROM numbers(1e12) SETTINGS max_execution_time = 0.2",
            408,
            159,
            "TIMEOUT_EXCEEDED",
        ),
    ],
)
def test_errors_have_clickhouse_text_code_and_status(
    server: ClickHouse, query: str, status: int, code: int, name: str
) -> None:
    answer = server.request(query)
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (status, str(code))
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name})" in answer.text
    assert answer.text.rstrip().endswith(")")
    assert "(version 26." in answer.text


def test_get_is_readonly(server: ClickHouse, table: str) -> None:
    for query in (f"INSERT INTO {table} VALUES (1, 'x')", f"DROP TABLE {table}", f"INSERT INTO {table} SELECT 1, 'x'"):
        answer = server.request(query, method="GET")
        assert answer.headers.get("x-clickhouse-exception-code") == "164", (query, answer.text)
    assert server.ask(f"SELECT count() FROM {table}") == "0"
    assert server.request("SELECT 1 SETTINGS max_threads = 1", method="GET").status == 200


def test_get_keeps_a_stricter_readonly(server: ClickHouse) -> None:
    answer = server.request("SELECT 1 SETTINGS max_threads = 1", method="GET", readonly="1")
    assert answer.headers["x-clickhouse-exception-code"] == "164"


def test_a_long_query_fits_into_the_url(server: ClickHouse) -> None:
    assert server.request(f"SELECT length('{'x' * 50_000}')", method="GET").text == "50000\n"


def test_database_parameter_and_header(server: ClickHouse) -> None:
    server.ask("CREATE DATABASE IF NOT EXISTS other")
    assert server.ask("SELECT currentDatabase()", database="other") == "other"
    answer = server.request("SELECT currentDatabase()", headers={"X-ClickHouse-Database": "other"})
    assert answer.text == "other\n"
    assert server.request("SELECT 1", database="nowhere").status == 404


@pytest.mark.parametrize(
    ("statement", "data"),
    [
        ("INSERT INTO t FORMAT JSONEachRow", b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n'),
        ("INSERT INTO t (b, a) FORMAT TSV", b"x\t1\ny\t2\n"),
        ("INSERT INTO t VALUES", b"(1,'x'),(2,'y')"),
        ("INSERT INTO default.t SETTINGS async_insert=0 FORMAT CSV", b'1,"x"\n2,"y"\n'),
    ],
)
def test_insert_data_in_the_body(server: ClickHouse, table: str, statement: str, data: bytes) -> None:
    whole_in_body = f"{statement}\n".encode() + data
    for answer in (server.request(statement, data), server.request(body=whole_in_body)):
        assert answer.status == 200, answer.text
        assert json.loads(answer.headers["x-clickhouse-summary"])["written_rows"] == "2"
    assert server.ask(f"SELECT a, b, count() FROM {table} GROUP BY a, b ORDER BY a") == "1\tx\t2\n2\ty\t2"


def test_insert_inline_values_with_parameters(server: ClickHouse, table: str) -> None:
    server.ask("INSERT INTO {t:Identifier} VALUES ({n:UInt8} + 1, upper('x'))", param_t=table, param_n="41")
    assert server.ask(f"SELECT * FROM {table}") == "42\tX"


def test_chunked_body_of_any_bytes_is_stored_byte_exact(server: ClickHouse, table: str) -> None:
    every_byte = "unhex('" + bytes(range(256)).hex() + "')"
    block = server.request(f"SELECT number AS a, {every_byte} AS b FROM numbers(5000) FORMAT Native").body
    head = f"INSERT INTO {table} FORMAT Native\n".encode()

    def pieces() -> Iterator[bytes]:
        # The statement itself arrives in pieces too.
        for start in range(0, 40, 7):
            yield (head + block)[start : min(start + 7, 40)]
        for start in range(40, len(head) + len(block), 50_000):
            yield (head + block)[start : start + 50_000]

    answer = server.request(body=pieces())
    assert answer.status == 200, answer.text
    assert server.ask(f"SELECT count(), countIf(b = {every_byte}) FROM {table}") == "5000\t5000"


def test_malformed_data_writes_nothing_and_says_where(server: ClickHouse, table: str) -> None:
    answer = server.request(f"INSERT INTO {table} FORMAT JSONEachRow", b'{"a":1}\n{"a":"z"}\n')
    assert answer.status == 400
    assert "row 2" in answer.text
    assert server.ask(f"SELECT count() FROM {table}") == "0"


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("lz4", lz4.frame.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)
def test_compressed_request_body(
    server: ClickHouse, table: str, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    # Two frames end to end: what a streaming client sends.
    data = compress(b"1\tx\n" * 100_000) + compress(b"2\ty\n")
    headers = {"Content-Encoding": encoding}
    answer = server.request(f"INSERT INTO {table} FORMAT TSV", data, headers=headers)
    assert answer.status == 200, answer.text
    assert server.ask(f"SELECT count() FROM {table}") == "100001"
    torn = server.request(f"INSERT INTO {table} FORMAT TSV", data[:-3], headers=headers)
    assert torn.headers["x-clickhouse-exception-code"] == "271"
    assert server.ask(f"SELECT count() FROM {table}") == "100001"


def test_unknown_content_encoding_is_refused(server: ClickHouse) -> None:
    answer = server.request(body=b"SELECT 1", headers={"Content-Encoding": "br"})
    assert answer.status == 400
    assert "gzip, deflate, lz4 or zstd" in answer.text


def test_bodies_and_responses_in_clickhouse_s_own_blocks(server: ClickHouse, table: str) -> None:
    def unpacked(data: bytes) -> bytes:
        decoder = BlockDecoder()
        out = b"".join(decoder.feed(data))
        decoder.finish()
        return out

    rows = b"".join(b"%d\tx\n" % number for number in range(300_000))
    made = BlockEncoder()
    packed = made.compress(rows) + made.flush()
    assert len(packed) < len(rows)
    assert server.request(f"INSERT INTO {table} FORMAT TSV", packed, decompress="1").status == 200
    read = f"SELECT a, b FROM {table} ORDER BY a"
    plain = server.request(read, compress="1")
    assert (plain.status, unpacked(plain.body)) == (200, rows)
    assert "content-encoding" not in plain.headers
    zipped = server.request(read, compress="1", enable_http_compression="1", headers={"Accept-Encoding": "gzip"})
    assert unpacked(gzip.decompress(zipped.body)) == rows
    twice = gzip.compress(packed)
    answer = server.request(
        f"INSERT INTO {table} FORMAT TSV", twice, decompress="1", headers={"Content-Encoding": "gzip"}
    )
    assert answer.status == 200
    assert server.ask(f"SELECT count() FROM {table}") == "600000"
    spoilt = server.request(f"INSERT INTO {table} FORMAT TSV", packed[:40] + b"?" + packed[41:], decompress="1")
    assert (spoilt.status, spoilt.headers["x-clickhouse-exception-code"]) == (500, "40")
    unknown = server.request("SELECT nothing", compress="1")
    assert (unknown.status, unknown.headers["x-clickhouse-exception-code"]) == (404, "47")


def test_the_engine_s_own_files_are_such_blocks(server: ClickHouse) -> None:
    server.ask(
        "CREATE TABLE blocks (a String CODEC(LZ4), b String CODEC(ZSTD), c String CODEC(NONE)) "
        "ENGINE = MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 0, serialization_info_version = 'basic'"
    )
    server.ask("INSERT INTO blocks SELECT repeat('snag', 100), repeat('snag', 100), 'snag' FROM numbers(10000)")
    part = Path(server.ask("SELECT path FROM system.parts WHERE table = 'blocks' AND active"))
    for column, row in (("a", b"\x90\x03" + b"snag" * 100), ("b", b"\x90\x03" + b"snag" * 100), ("c", b"\x04snag")):
        decoder = BlockDecoder()
        assert b"".join(decoder.feed((part / f"{column}.bin").read_bytes())) == row * 10_000
        decoder.finish()


def _gunzip(data: bytes) -> bytes:
    return gzip.decompress(data)


@pytest.mark.parametrize(
    ("encoding", "decompress"),
    [
        ("gzip", _gunzip),
        ("deflate", zlib.decompress),
        ("lz4", lz4.frame.decompress),
        ("zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
    ],
)
@pytest.mark.parametrize("rows", [1, 500_000])
def test_compressed_response(
    server: ClickHouse, encoding: str, decompress: Callable[[bytes], bytes], rows: int
) -> None:
    query, headers = f"SELECT number FROM numbers({rows})", {"Accept-Encoding": encoding}
    answer = server.request(query, headers=headers, enable_http_compression="1")
    assert answer.headers["content-encoding"] == encoding
    assert decompress(answer.body) == b"".join(b"%d\n" % number for number in range(rows))
    assert "content-encoding" not in server.request(query, headers=headers).headers


def test_multipart_form_brings_query_parameters_and_tables(server: ClickHouse) -> None:
    def field(name: str, value: bytes) -> bytes:
        return b'--XX\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value + b"\r\n"

    body = (
        field("query", b"SELECT sum(x) + {n:UInt8} FROM ext")
        + field("param_n", b"5")
        + field("ext", b"1\n2\n")
        + b"--XX--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    assert server.request(body=body, headers=headers, ext_structure="x UInt8").text == "8\n"


def test_error_in_the_middle_of_a_stream_is_marked_and_breaks_the_body(server: ClickHouse) -> None:
    query = "SELECT throwIf(number = 3000000) FROM numbers(10000000) SETTINGS max_block_size = 10000"
    seen = bytearray()
    with server.open_query(query) as connection, connection.getresponse() as response:
        tag = response.headers["X-ClickHouse-Exception-Tag"]
        with pytest.raises(http.client.IncompleteRead):
            while piece := response.read1(1 << 20):
                seen += piece
    assert f"__exception__\r\n{tag}\r\nCode: 395".encode() in seen


def test_wait_end_of_query_turns_a_late_error_into_a_status(server: ClickHouse) -> None:
    query = "SELECT throwIf(number = 3000000) FROM numbers(10000000)"
    assert server.request(query, wait_end_of_query="1").status == 500
    large = server.request("SELECT number FROM numbers(4000000)", wait_end_of_query="1")
    assert (large.status, large.body[-8:]) == (200, b"3999999\n")


def test_session_keeps_set_and_use_but_not_url_settings(server: ClickHouse) -> None:
    server.ask("CREATE DATABASE IF NOT EXISTS other")
    server.ask("SET max_threads = 3", session_id="s1", max_block_size="55")
    server.ask("USE other", session_id="s1")
    query = "SELECT getSetting('max_threads'), currentDatabase(), getSetting('max_block_size')"
    assert server.ask(query, session_id="s1").startswith("3\tother\t")
    assert not server.ask(query, session_id="s1").endswith("\t55")
    assert not server.ask(query, session_id="s2").startswith("3\tother")
    assert (
        server.request("SELECT 1", session_id="unheard", session_check="1").headers["x-clickhouse-exception-code"]
        == "372"
    )
    assert server.request("CREATE TEMPORARY TABLE x (a UInt8)", session_id="s1").status == 501


def test_empty_body_is_refused(server: ClickHouse) -> None:
    assert server.request(body=b"").headers["x-clickhouse-exception-code"] == "62"


def test_credentials(tmp_path_factory: pytest.TempPathFactory) -> None:
    with start_clickhouse(tmp_path_factory.mktemp("auth"), "--user", "snag", password="s3cret") as server:
        basic = "Basic " + base64.b64encode(b"snag:s3cret").decode()
        assert server.request("SELECT 1", headers={"Authorization": basic}).status == 200
        assert (
            server.request("SELECT 1", headers={"X-ClickHouse-User": "snag", "X-ClickHouse-Key": "s3cret"}).status
            == 200
        )
        assert server.request("SELECT 1", user="snag", password="s3cret").status == 200
        for wrong in ({}, {"user": "snag", "password": "x"}, {"user": "default", "password": "s3cret"}):
            refused = server.request("SELECT 1", **wrong)
            assert (refused.status, refused.headers["x-clickhouse-exception-code"]) == (403, "516")
        assert server.request(path="/ping").status == 200
        assert "s3cret" not in server.log.read_text()
