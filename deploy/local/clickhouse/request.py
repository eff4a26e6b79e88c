"""A request's parameters, sorted into what ClickHouse means by them."""

import base64
import binascii
import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from deploy.local.clickhouse.errors import AUTHENTICATION_FAILED, BAD_ARGUMENTS, error
from deploy.local.clickhouse.sessions import DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S

# Parameters of the HTTP interface itself; every other one is a setting. client_protocol_version asks for a newer
# Native header, which the embedded engine cannot write; clients see that and read the plain one.
_OWN = {
    "query", "database", "default_format", "query_id", "session_id", "session_timeout", "session_check", "user",
    "password", "quota_key", "compress", "decompress", "buffer_size", "wait_end_of_query", "client_protocol_version",
    "stacktrace", "close_session",
}  # fmt: skip
_EXTERNAL = ("_structure", "_format", "_types")


@dataclass
class Options:
    """One request: the statement's text so far, its context, and how to answer."""

    query: bytes = b""
    query_id: str = ""
    database: str | None = None
    default_format: str = "TabSeparated"
    settings: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    external: dict[str, str] = field(default_factory=dict)
    session_id: str | None = None
    session_timeout_s: float = DEFAULT_TIMEOUT_S
    session_check: bool = False
    user: str = "default"
    password: str = ""
    wait_end: bool = False
    compress: bool = False
    decompress: bool = False


def parse(query_string: bytes, headers: Mapping[str, str]) -> Options:
    """The options of a request from its query string (raw) and headers (lower-case names).

    Raises:
        ClickHouseError: a parameter has a value it cannot have, or credentials are not readable.
    """
    options = Options()
    pairs = parse_qsl(
        query_string.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="surrogateescape"
    )
    fields = dict(pairs)
    # The statement may hold bytes that are no text; they come back as sent.
    options.query = fields.get("query", "").encode("utf-8", "surrogateescape")
    options.query_id = fields.get("query_id") or str(uuid.uuid4())
    options.database = fields.get("database") or headers.get("x-clickhouse-database") or None
    options.default_format = (
        headers.get("x-clickhouse-format") or fields.get("default_format") or options.default_format
    )
    options.session_id = fields.get("session_id") or None
    options.session_check = _flag(fields, "session_check")
    options.compress, options.decompress = _flag(fields, "compress"), _flag(fields, "decompress")
    options.wait_end = _flag(fields, "wait_end_of_query")
    timeout = fields.get("session_timeout", "")
    if timeout:
        if not timeout.isdigit() or float(timeout) > MAX_TIMEOUT_S:
            raise error(
                BAD_ARGUMENTS, f"session_timeout must be whole seconds up to {MAX_TIMEOUT_S:.0f}, got {timeout!r}"
            )
        options.session_timeout_s = float(timeout)
    options.user, options.password = _credentials(fields, headers)
    for name, value in pairs:
        add(options, name, value)
    return options


def add(options: Options, name: str, value: str) -> None:
    """File one parameter of the URL or of a form under params, external tables or settings."""
    if name.startswith("param_"):
        options.params[name.removeprefix("param_")] = value
    elif name.endswith(_EXTERNAL):
        options.external[name] = value
    elif name not in _OWN:
        options.settings[name] = value


def _flag(fields: Mapping[str, str], name: str) -> bool:
    return fields.get(name, "") not in ("", "0", "false")


def _credentials(fields: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user") or "default", headers.get("x-clickhouse-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(token, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise error(AUTHENTICATION_FAILED, "the Authorization header is not Basic base64(user:password)") from None
        return user or "default", password
    return fields.get("user") or "default", fields.get("password", "")


def authenticate(options: Options, user: str, password: str) -> None:
    """Check the request's credentials against the server's.

    Raises:
        ClickHouseError: they differ (code 516); which part differs is not told.
    """
    same_user = hmac.compare_digest(options.user.encode("utf-8", "replace"), user.encode())
    same_password = hmac.compare_digest(options.password.encode("utf-8", "replace"), password.encode())
    if not (same_user and same_password):
        raise error(
            AUTHENTICATION_FAILED,
            f"{options.user}: Authentication failed: password is incorrect, or there is no user with such name",
        )


def form_parts(body: bytes, content_type: str) -> Sequence[tuple[str, bytes]]:
    """The (name, bytes) fields of a multipart/form-data body.

    Raises:
        ClickHouseError: no boundary, or a part without a name.
    """
    marker = "boundary="
    at = content_type.find(marker)
    boundary = content_type[at + len(marker) :].partition(";")[0].strip().strip('"') if at >= 0 else ""
    if not boundary:
        raise error(BAD_ARGUMENTS, "the multipart/form-data body has no boundary in its Content-Type")
    parts: list[tuple[str, bytes]] = []
    for section in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1"))[1:]:
        if section.startswith(b"--"):
            break
        head, found, data = section.partition(b"\r\n\r\n")
        fields = head.decode("utf-8", "replace").split(";")
        name = next((item.strip()[5:] for item in fields if item.strip().lower().startswith("name=")), None)
        if not found or name is None:
            raise error(BAD_ARGUMENTS, "a part of the multipart/form-data body has no name in its Content-Disposition")
        parts.append((name.split("\r\n")[0].strip('"'), data))
    return parts
