"""Output formats: the content type ClickHouse announces and how a result may be cut into pieces."""

from collections.abc import Callable

_TEXT = "text/plain; charset=UTF-8"
_JSON = "application/json; charset=UTF-8"
_NDJSON = "application/x-ndjson; charset=UTF-8"
_TSV = "text/tab-separated-values; charset=UTF-8"
_CSV = "text/csv; charset=UTF-8"
_BYTES = "application/octet-stream"

_CONTENT_TYPES = {
    "csv": f"{_CSV}; header=absent",
    "csvwithnames": f"{_CSV}; header=present",
    "csvwithnamesandtypes": f"{_CSV}; header=present",
    "xml": "application/xml; charset=UTF-8",
    "parquet": _BYTES,
    "arrow": _BYTES,
    "arrowstream": _BYTES,
    "orc": _BYTES,
    "avro": _BYTES,
    "native": _BYTES,
    "msgpack": _BYTES,
    "rawblob": _BYTES,
    "protobuf": _BYTES,
    "capnproto": _BYTES,
    "npy": _BYTES,
}

# The engine encodes every block of a streamed result as a document of its own. Where such pieces put end
# to end are the format itself, a result of any size passes through; elsewhere the engine builds it whole.
_PLAIN = {
    "tabseparated", "tsv", "tabseparatedraw", "tsvraw", "csv", "jsoneachrow", "ndjson", "jsonlines",
    "jsoncompacteachrow", "jsoncompactstringseachrow", "jsonstringseachrow", "native", "rowbinary", "msgpack",
    "rawblob", "lineasstring",
}  # fmt: skip


def content_type(name: str) -> str:
    """The Content-Type for an output format; the name is case-insensitive, as in the engine."""
    key = name.lower()
    if key in _CONTENT_TYPES:
        return _CONTENT_TYPES[key]
    if key.startswith(("tabseparated", "tsv")):
        return _TSV
    if key.startswith("rowbinary"):
        return _BYTES
    if key.startswith("json"):
        return _NDJSON if "eachrow" in key or key in ("jsonlines",) else _JSON
    return _NDJSON if key == "ndjson" else _TEXT


def header_reader(name: str) -> Callable[[bytes], int] | None:
    """Tells how long the header at the start of every streamed piece is; None for a format that cannot be streamed."""
    key = name.lower()
    if key in _PLAIN:
        return lambda _piece: 0
    for suffix, lines in (("withnamesandtypes", 2), ("withnames", 1)):
        base = key.removesuffix(suffix)
        if base == key:
            continue
        if base == "csv":
            return lambda piece: _lines_end(piece, lines, quoted=True)
        if base == "rowbinary":
            return lambda piece: _names_end(piece, lines)
        if base in _PLAIN:
            return lambda piece: _lines_end(piece, lines, quoted=False)
    return None


def _lines_end(piece: bytes, lines: int, *, quoted: bool) -> int:
    """Where the first `lines` lines end; in CSV a column's name may hold a line end inside its quotes."""
    end = 0
    for _ in range(lines):
        start = end
        end = piece.index(b"\n", end) + 1
        while quoted and piece.count(b'"', start, end) % 2:
            end = piece.index(b"\n", end) + 1
    return end


def _names_end(piece: bytes, lists: int) -> int:
    """Where RowBinary's column count, names and (with two lists) types end."""
    count, end = _varint(piece, 0)
    for _ in range(count * lists):
        size_bytes, end = _varint(piece, end)
        end += size_bytes
    return end


def _varint(piece: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = piece[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
