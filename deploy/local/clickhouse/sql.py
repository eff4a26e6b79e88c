"""Just enough of ClickHouse's grammar to route a statement: where an INSERT's data begins, which format is asked.

The engine parses the statement itself; nothing here decides whether it is valid.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.local.clickhouse.errors import INTO_OUTFILE_NOT_ALLOWED, NOT_IMPLEMENTED, SYNTAX_ERROR, error

_TOKEN = re.compile(
    rb"""
    (?P<space>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
    |(?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<word>\w+)
    |(?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)
_SELECTING = {b"SELECT", b"WITH", b"FROM", b"EXPLAIN", b"SHOW", b"DESCRIBE", b"DESC", b"WATCH"}
_QUERY_START = {b"SELECT", b"WITH", b"FROM", b"("}
_OPEN, _CLOSE = b"([{", b")]}"
_NO_FORMAT, _KEYWORD, _NAME, _SETTLED = range(4)


class NeedMore(Exception):
    """The bytes read so far end inside the head of the statement."""


@dataclass(frozen=True)
class Token:
    """One significant token: upper-cased text, place in the source and bracket depth."""

    text: bytes
    start: int
    end: int
    depth: int
    is_word: bool


@dataclass(frozen=True)
class InsertHead:
    """The part of an INSERT before its data: `sql` up to its SETTINGS, FORMAT or VALUES, and the data's offset.

    `settings` is the SETTINGS clause as it stands, or empty.
    """

    sql: str
    settings: str
    format: str
    data_start: int


def tokens(source: bytes) -> Iterator[Token]:
    """The significant tokens of `source`, in order; comments and white space are left out."""
    depth = 0
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup
        if kind == "space":
            continue
        text = match.group()
        if kind == "other" and text in _CLOSE:
            depth -= 1
        yield Token(text.upper() if kind == "word" else text, match.start(), match.end(), depth, kind == "word")
        if kind == "other" and text in _OPEN:
            depth += 1


def first_words(source: bytes, count: int = 3) -> tuple[str, ...]:
    """The first `count` tokens, upper-cased: what kind of statement this is."""
    found: list[str] = []
    for token in tokens(source):
        found.append(token.text.decode("utf-8", "replace"))
        if len(found) == count:
            break
    return tuple(found)


def insert_head(source: bytes, *, complete: bool) -> InsertHead | None:  # noqa: PLR0912  one branch a clause
    """Where the data of an INSERT begins, or None for any other statement (INSERT ... SELECT included).

    `complete` tells that no more bytes follow `source`.

    Raises:
        NeedMore: the bytes so far end before that can be told (never with `complete`).
        ClickHouseError: FROM INFILE (the file would be the server's), or text that is not UTF-8.
    """
    found = iter(tokens(source))

    def following() -> Token | None:
        token = next(found, None)
        if not complete and (token is None or token.end == len(source)):
            raise NeedMore
        return token

    token = following()
    if token is None or token.text != b"INSERT":
        return None
    token = following()
    if token is not None and token.text == b"INTO":
        token = following()
    if token is not None and token.text == b"TABLE":
        token = following()
    if token is not None and token.text == b"FUNCTION":
        token = following()
    # The name itself is stepped over, so that a table may be called `format` or `values`.
    token = following()
    while token is not None and token.text == b".":
        following()
        token = following()
    settings_start: int | None = None
    while token is not None:
        if token.depth == 0 and token.text == b"SETTINGS" and settings_start is None:
            settings_start = token.start
        if token.depth == 0 and token.text == b"FORMAT":
            name = following()
            if name is None:
                return None
            head_end = token.start if settings_start is None else settings_start
            return InsertHead(
                _text(source[:head_end]),
                _text(source[head_end : token.start]),
                _text(source[name.start : name.end]),
                _after_format(source, name.end, complete=complete),
            )
        if token.depth == 0 and token.text == b"VALUES":
            head_end = token.start if settings_start is None else settings_start
            return InsertHead(_text(source[:head_end]), _text(source[head_end : token.start]), "Values", token.end)
        opened = token.text == b"("
        if (token.depth == 0 and token.text in _SELECTING) or (opened and token.depth == 0):
            first = token if not opened else following()
            second = following() if first is not None and first.text == b"FROM" else None
            if second is not None and second.text == b"INFILE":
                raise error(INTO_OUTFILE_NOT_ALLOWED, "FROM INFILE is not allowed over HTTP: send the data as the body")
            if first is not None and first.text in _SELECTING:
                return None
        token = following()
    return None


def _after_format(source: bytes, end: int, *, complete: bool) -> int:
    """The data's offset: blanks after the format's name are skipped, and one line end at most."""
    while end < len(source) and source[end : end + 1] in b" \t\f":
        end += 1
    if end >= len(source) - 1 and not complete:
        raise NeedMore
    if source[end : end + 1] == b"\r":
        end += 1
    if source[end : end + 1] == b"\n":
        end += 1
    return end


def _text(source: bytes) -> str:
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise error(SYNTAX_ERROR, f"the statement is not UTF-8 at byte {cause.start}") from None


@dataclass(frozen=True)
class Shape:
    """What routing needs to know of a statement that is not an INSERT with data."""

    format: str | None
    streams: bool


def shape(source: bytes) -> Shape:
    """The output format a statement asks for itself, and whether the engine may stream its result.

    Raises:
        ClickHouseError: several statements at once, INTO OUTFILE (the file would be the server's), or input().
    """
    asked: str | None = None
    streams: bool | None = None
    ended = inserts = False
    previous = b""
    state = _NO_FORMAT
    for token in tokens(source):
        if streams is None:
            streams, inserts = token.text in _QUERY_START, token.text == b"INSERT"
        if ended and token.text != b";":
            raise error(SYNTAX_ERROR, "Syntax error: Multi-statements are not allowed, send one statement per request")
        ended = ended or (token.text == b";" and token.depth == 0)
        if token.text == b"OUTFILE" and previous == b"INTO":
            raise error(INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed over HTTP: save the response instead")
        if inserts and token.text == b"(" and previous == b"INPUT":
            # The engine would answer 200 and read nothing.
            raise error(NOT_IMPLEMENTED, "input() is not supported: INSERT into the table, or send an external table")
        previous = token.text
        if state == _KEYWORD and token.is_word and token.depth == 0:
            asked, state = source[token.start : token.end].decode("ascii", "replace"), _NAME
            continue
        if state == _NAME and token.text == b"SETTINGS":
            state = _SETTLED
        elif state in (_NAME, _KEYWORD) and token.text != b";":
            # More follows than SETTINGS: `format` was a column or an alias, not the clause.
            asked, state = None, _NO_FORMAT
        if state == _NO_FORMAT and token.text == b"FORMAT" and token.depth == 0:
            state = _KEYWORD
    return Shape(asked, bool(streams))
