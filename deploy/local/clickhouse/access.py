"""What a user of the embedded server may do: everything inside the data folder, nothing outside of it.

The engine starts with its one user allowed to read any file and to reach any host. So it gets a user file that grants
what works on tables only: table functions and engines that reach outside (file, url, s3, remote, ..) then answer with
ClickHouse's code 497. The server's own inserts go through FROM INFILE, which asks for no grant and is refused to users
(see `sql`). The engine checks no grant for the scalar function file() and for executable() and python(), whose source
is this very process: a statement that names them is refused here.
"""

import re
from collections.abc import Mapping
from typing import Final

from deploy.local.clickhouse.errors import ACCESS_DENIED, ClickHouseError, error
from deploy.local.clickhouse.sql import Token, tokens

# No SOURCES, BACKUP, users, named collections, introspection, nor SYSTEM SHUTDOWN and KILL.
_ENGINES: Final = (
    *(f"{kind}MergeTree" for kind in ("", "Replacing", "Summing", "Aggregating", "Collapsing", "Coalescing")),
    *("VersionedCollapsingMergeTree", "GraphiteMergeTree", "Memory", "Log", "TinyLog", "StripeLog", "Null", "Buffer"),
    *("Set", "Join", "Merge", "Dictionary", "View", "MaterializedView", "GenerateRandom", "Atomic"),
)
_GRANTS: Final = (
    "GRANT SHOW, SELECT, INSERT, ALTER, CREATE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, KILL QUERY, dictGet ON *.*",
    "GRANT SYSTEM FLUSH, SYSTEM MERGES, SYSTEM DROP CACHE ON *.*",
    *(f"GRANT TABLE ENGINE ON {engine}" for engine in _ENGINES),
)
# The engine connects as `default`; who may talk to the server is decided before, by its own user and password.
_EXPRESSIONS_BEGIN: Final = frozenset({b"SELECT", b"WITH", b"FROM", b"VALUES"})
_NETWORKS: Final = "<networks><ip>::1</ip><ip>127.0.0.1</ip></networks>"

_OUTSIDE: Final = frozenset({b"FILE", b"EXECUTABLE", b"PYTHON", b"EVAL"})
_NAMED: Final = re.compile(rb"file|executable|python|eval|identifier|[`\"\\]", re.IGNORECASE)
_CALL: Final = re.compile(rb"(?:\b(?:file|executable|python|eval)\b|\\).*\(", re.IGNORECASE | re.DOTALL)
# Settings whose value the engine reads as an expression.
_EXPRESSIONS: Final = re.compile(rb"additional_\w*filter|custom_key", re.IGNORECASE)
_IDENTIFIER: Final = re.compile(rb":\s*Identifier", re.IGNORECASE)


def users_config() -> str:
    """The XML file of users that the engine is started with."""
    grants = "".join(f"<query>{grant}</query>" for grant in _GRANTS)
    user = f"<password/>{_NETWORKS}<profile>default</profile><quota>default</quota><grants>{grants}</grants>"
    return (
        "<clickhouse><profiles><default/></profiles><quotas><default/></quotas>"
        f"<users><default>{user}</default></users></clickhouse>\n"
    )


def refuse_outside(statement: bytes, values: Mapping[str, str]) -> None:
    """Refuse a statement that calls a function which reaches outside and for which the engine checks no grant.

    `values` are the request's settings and parameters by name: some are expressions, or names.

    Raises:
        ClickHouseError: it does (code 497).
    """
    given = {name: value.encode("utf-8", "replace") for name, value in values.items()}
    for name, value in given.items():
        if _EXPRESSIONS.search(name.encode()) and _CALL.search(value):
            raise _denied(name)
    if not _NAMED.search(statement):
        return
    if _IDENTIFIER.search(statement) and any(
        _is_outside(value.encode("utf-8", "replace")) for value in values.values()
    ):
        raise _denied("a parameter of type Identifier")
    found = [Token(b"", 0, 0, 0, is_word=False), *tokens(statement), Token(b"", 0, 0, 0, is_word=False)]
    # The columns an INSERT names are no expressions, and need no care.
    places = range(1, len(found) - 1)
    if found[1].text == b"INSERT":
        places = range(next((at for at in places if found[at].text in _EXPRESSIONS_BEGIN), 1), len(found) - 1)
    settings = found[1].text == b"SET" or _EXPRESSIONS.search(statement) is not None
    for place in places:
        before, token, after = found[place - 1].text, found[place], found[place + 1].text
        if token.text[:1] == b"'":
            if settings and (_is_outside(token.text) or _CALL.search(token.text)):
                raise _denied("a setting or parameter")
        elif (token.is_word or token.text[:1] in (b"`", b'"')) and before != b"." and _is_outside(token.text):
            handed_over = before == b"(" and after in (b",", b")")  # as in arrayMap(file, ..)
            if after == b"(" or before == b"APPLY" or handed_over:
                raise _denied(token.text.decode("utf-8", "replace").strip('`"'))


def _is_outside(name: bytes) -> bool:
    """Whether this is one of the names, quoted or not; a quoted one with an escape might be."""
    return name.strip(b"`\"'").upper() in _OUTSIDE or b"\\" in name


def _denied(what: str) -> ClickHouseError:
    return error(
        ACCESS_DENIED,
        f"default: Not enough privileges. {what} would reach outside the data folder, which users of the embedded "
        "server may not: send the data with the query. A column of that name is read with its table's name before it",
    )
