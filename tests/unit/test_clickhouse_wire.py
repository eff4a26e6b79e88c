"""Small parts of the embedded server: errors, compression, parameters, formats, sessions."""

import base64
import gzip
import struct
import zlib
from pathlib import Path

import lz4.block
import lz4.frame
import pytest
import zstandard
from hypothesis import assume, given
from hypothesis import strategies as st

from deploy.local.clickhouse import blocks
from deploy.local.clickhouse.compression import RESPONSE_ENCODINGS, body_decoder, choose_encoding, response_encoder
from deploy.local.clickhouse.config import server_config
from deploy.local.clickhouse.engine import quote, quote_name
from deploy.local.clickhouse.errors import ClickHouseError, error, from_engine
from deploy.local.clickhouse.formats import content_type, header_reader
from deploy.local.clickhouse.request import authenticate, form_parts, parse
from deploy.local.clickhouse.sessions import Sessions


@pytest.mark.parametrize(("code", "status"), [(60, 404), (62, 400), (164, 500), (241, 500), (159, 408), (516, 403)])
def test_codes_have_clickhouse_statuses(code: int, status: int) -> None:
    assert from_engine(f"Code: {code}. DB::Exception: no. (NO)").status == status


def test_engine_text_is_kept_from_its_code_on() -> None:
    found = from_engine("Streaming failed: Code: 60. DB::Exception: Unknown 'Code: 7'. (UNKNOWN_TABLE)")
    assert (found.code, found.text) == (60, "Code: 60. DB::Exception: Unknown 'Code: 7'. (UNKNOWN_TABLE)")
    assert found.render("26.9") == f"{found.text} (version 26.9)"
    assert from_engine("Code: 1. DB::Exception: x (version 26.9)").render("26.9").count("version") == 1
    assert from_engine("no code at all").text == "Code: 1002. DB::Exception: no code at all. (UNKNOWN_EXCEPTION)"


@given(st.text())
def test_literals_and_names_are_quoted(value: str) -> None:
    for quoted, mark in ((quote(value), "'"), (quote_name(value), "`")):
        inner = quoted[1:-1]
        assert quoted[0] == quoted[-1] == mark
        assert inner.replace("\\\\", "").replace("\\" + mark, "").count(mark) == 0
        assert inner.replace("\\" + mark, mark).replace("\\\\", "\\") == value or "\\" in value


@given(st.binary(max_size=5000), st.sampled_from([*RESPONSE_ENCODINGS, None]), st.booleans(), st.integers(1, 700))
def test_what_the_encoder_writes_the_decoder_reads(data: bytes, encoding: str | None, blocks: bool, step: int) -> None:
    assume(encoding or blocks)
    made, read = response_encoder(encoding, blocks=blocks), body_decoder(encoding or "", blocks=blocks)
    assert read is not None
    assert made is not None
    packed = b"".join(made.compress(data[at : at + step]) for at in range(0, len(data), step)) + made.flush()
    out = b"".join(piece for at in range(0, len(packed), step) for piece in read.feed(packed[at : at + step]))
    read.finish()
    assert out == data


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"abc" * 999)),
        ("deflate", zlib.compress(b"abc" * 999)),
        ("lz4", lz4.frame.compress(b"abc" * 999)),
        ("zstd", zstandard.ZstdCompressor().compress(b"abc" * 999)),
    ],
)
def test_frames_end_to_end_torn_and_spoilt(encoding: str, packed: bytes) -> None:
    read = body_decoder(encoding, blocks=False)
    assert read is not None
    assert b"".join(read.feed(packed + packed)) == b"abc" * 999 * 2
    read.finish()
    list(read.feed(packed[:-2]))
    with pytest.raises(ClickHouseError, match="middle of a frame"):
        read.finish()
    spoilt = body_decoder(encoding, blocks=False)
    assert spoilt is not None
    with pytest.raises(ClickHouseError, match=f"not valid {encoding}"):
        list(spoilt.feed(b"this is no compressed data at all"))


def test_a_compression_bomb_comes_out_in_bounded_pieces() -> None:
    for encoding, packed in (
        ("gzip", gzip.compress(bytes(100 << 20))),
        ("zstd", zstandard.ZstdCompressor().compress(bytes(100 << 20))),
    ):
        read = body_decoder(encoding, blocks=False)
        assert read is not None
        sizes = [len(piece) for piece in read.feed(packed)]
        assert sum(sizes) == 100 << 20
        assert max(sizes) <= 40 << 20


@pytest.mark.parametrize("method", ["lz4", "zstd", "none"])
def test_blocks_are_read_torn_spoilt_and_too_large(method: str) -> None:
    data = b"abc" * 999
    packed, number = {
        "lz4": (lz4.block.compress(data, store_size=False), blocks.LZ4),
        "zstd": (zstandard.ZstdCompressor().compress(data), blocks.ZSTD),
        "none": (data, blocks.NONE),
    }[method]

    def block(size: int, content: bytes = packed, number: int = number) -> bytes:
        body = struct.pack("<BII", number, 9 + len(content), size) + content
        return blocks.checksum(body) + body

    def read(*pieces: bytes) -> bytes:
        decoder = blocks.BlockDecoder()
        out = b"".join(part for piece in pieces for part in decoder.feed(piece))
        decoder.finish()
        return out

    whole = block(len(data))
    assert read(whole[:7], whole[7:30], whole[30:] + whole) == data * 2
    assert read() == b""
    for wrong, said in (
        ((whole[:-1],), "middle of a compressed block"),
        ((whole[:-1] + b"?",), "Checksum doesn't match"),
        ((block(len(data) + 1),), "cannot be decompressed|claims"),
        ((block(1 << 30),), "larger than 64 MiB"),
        ((block(len(data), number=7),), "0x07 is not supported"),
        ((b"INSERT INTO t FORMAT TSV 1 2 3",), "block format"),
    ):
        with pytest.raises(ClickHouseError, match=said):
            read(*wrong)


def test_encodings_are_chosen_by_preference_and_may_be_refused() -> None:
    assert choose_encoding("gzip, zstd, br") == "zstd"
    assert choose_encoding("gzip;q=0, deflate") == "deflate"
    assert choose_encoding("br, identity") is None
    assert body_decoder("identity", blocks=False) is None
    with pytest.raises(ClickHouseError, match="br"):
        body_decoder("br", blocks=False)


def test_parameters_are_sorted() -> None:
    options = parse(
        b"query=SELECT+%27%FF%27&param_a=b%5Ct&max_threads=2&database=d&session_id=s&session_timeout=5&ext_types=Int8"
        b"&client_protocol_version=54405&wait_end_of_query=1",
        {"x-clickhouse-format": "JSON"},
    )
    assert options.query == b"SELECT '\xff'"
    assert (options.params, options.settings, options.external) == (
        {"a": r"b\t"},
        {"max_threads": "2"},
        {"ext_types": "Int8"},
    )
    assert (options.database, options.session_id, options.session_timeout_s) == ("d", "s", 5.0)
    assert (options.default_format, options.wait_end) == ("JSON", True)
    for bad in (b"session_timeout=x", b"session_timeout=4000"):
        with pytest.raises(ClickHouseError):
            parse(bad, {})


def test_credentials_in_each_place() -> None:
    basic = {"authorization": "Basic " + base64.b64encode(b"u:p:w").decode()}
    assert (parse(b"", basic).user, parse(b"", basic).password) == ("u", "p:w")
    authenticate(parse(b"user=u&password=p:w", {}), "u", "p:w")
    authenticate(parse(b"", {"x-clickhouse-user": "u", "x-clickhouse-key": "p:w"}), "u", "p:w")
    with pytest.raises(ClickHouseError, match="516"):
        authenticate(parse(b"user=u", {}), "u", "p:w")
    with pytest.raises(ClickHouseError, match="Basic"):
        parse(b"", {"authorization": "Basic !"})


def test_form_parts_are_byte_exact() -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1\r\n'
        b'--B\r\nContent-Disposition: form-data; name="t"; filename="t"\r\nContent-Type: x/y\r\n\r\n'
        b"\x00\r\n\xff\r\n\r\n--B--\r\n"
    )
    assert form_parts(body, 'multipart/form-data; boundary="B"') == [("query", b"SELECT 1"), ("t", b"\x00\r\n\xff\r\n")]
    with pytest.raises(ClickHouseError, match="boundary"):
        form_parts(body, "multipart/form-data")


def test_headers_of_streamed_pieces_are_measured() -> None:
    csv = header_reader("CSVWithNames")
    assert csv is not None
    assert csv(b'"a\nb""","c"\n1,2\n') == len(b'"a\nb""","c"\n')
    tsv = header_reader("TSVWithNamesAndTypes")
    assert tsv is not None
    assert tsv(b"a\nUInt8\n1\n") == 8
    row_binary = header_reader("RowBinaryWithNamesAndTypes")
    assert row_binary is not None
    assert row_binary(b"\x01\x01a\x05UInt8\x07") == 9
    assert header_reader("Parquet") is None
    assert header_reader("JSON") is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [("TSV", "tab-separated"), ("csv", "text/csv"), ("JSON", "application/json"), ("JSONEachRow", "ndjson"),
     ("Native", "octet-stream"), ("RowBinary", "octet-stream"), ("Pretty", "text/plain"), ("XML", "application/xml")],
)  # fmt: skip
def test_content_types(name: str, kind: str) -> None:
    assert kind in content_type(name)


def test_sessions_lock_expire_and_remember() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    with sessions.hold("u", "s", 10, must_exist=False) as session:
        session.remember(("SET",), "SET a = 1")
        session.remember(("USE",), "USE x")
        session.remember(("USE",), "USE y")
        session.remember(("SELECT",), "SELECT 1")
        with pytest.raises(ClickHouseError, match="locked"), sessions.hold("u", "s", 10, must_exist=False):
            pass
    with sessions.hold("u", "s", 10, must_exist=True) as again:
        assert again.statements == ["SET a = 1", "USE y"]
    now[0] = 11.0
    with pytest.raises(ClickHouseError, match="not found"), sessions.hold("u", "s", 10, must_exist=True):
        pass


def test_config_names_the_memory_limit() -> None:
    assert f"<max_server_memory_usage>{512 << 20}</max_server_memory_usage>" in server_config(
        512, Path("/data/a&b.xml")
    )
    assert "<users_config>/data/a&amp;b.xml</users_config>" in server_config(512, Path("/data/a&b.xml"))
    assert error(62, "x").text == "Code: 62. DB::Exception: x. (SYNTAX_ERROR)"
