"""ClickHouse errors: their text, their code and the HTTP status ClickHouse answers for each code."""

import re

BAD_ARGUMENTS = 36
CHECKSUM_DOESNT_MATCH = 40
NOT_IMPLEMENTED = 48
SYNTAX_ERROR = 62
READONLY = 164
CANNOT_DECOMPRESS = 271
SOCKET_TIMEOUT = 209
INTO_OUTFILE_NOT_ALLOWED = 358
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
UNKNOWN_EXCEPTION = 1002

_NAMES = {
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
    CHECKSUM_DOESNT_MATCH: "CHECKSUM_DOESNT_MATCH",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    SYNTAX_ERROR: "SYNTAX_ERROR",
    READONLY: "READONLY",
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    SOCKET_TIMEOUT: "SOCKET_TIMEOUT",
    INTO_OUTFILE_NOT_ALLOWED: "INTO_OUTFILE_NOT_ALLOWED",
    SESSION_NOT_FOUND: "SESSION_NOT_FOUND",
    SESSION_IS_LOCKED: "SESSION_IS_LOCKED",
    ACCESS_DENIED: "ACCESS_DENIED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    UNKNOWN_EXCEPTION: "UNKNOWN_EXCEPTION",
}

# The server's table, code by code; what is not listed is 500 there and here.
_STATUS: dict[int, int] = {
    **dict.fromkeys((192, 193, AUTHENTICATION_FAILED, ACCESS_DENIED, 512), 403),
    194: 401,
    **dict.fromkeys(
        (6, 8, 15, 25, 26, 27, 36, 38, 41, 44, 53, 62, 72, 117, 167, 168, 321, 376, 427, 441, 675, 676), 400
    ),
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 131, 336, 511), 404),
    **dict.fromkeys((76, SOCKET_TIMEOUT, 439), 503),
    NOT_IMPLEMENTED: 501,
    159: 408,
    223: 413,
    381: 411,
    415: 415,
}

_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")


class ClickHouseError(Exception):
    """One refused or failed query. `text` is ClickHouse's own, from `Code: N.` on."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status ClickHouse answers for this code."""
        return _STATUS.get(self.code, 500)

    def render(self, version: str) -> str:
        """The text a client sees, ending with the engine's version as ClickHouse's does."""
        return self.text if self.text.endswith(f"(version {version})") else f"{self.text} (version {version})"


def error(code: int, message: str) -> ClickHouseError:
    """An error of this server's own, worded as ClickHouse words its own."""
    return ClickHouseError(code, f"Code: {code}. DB::Exception: {message.rstrip('.')}. ({_NAMES[code]})")


def from_engine(text: str) -> ClickHouseError:
    """The error in a text raised by chDB; a text without a code keeps its words under UNKNOWN_EXCEPTION."""
    found = _CODE.search(text)
    if found is None:
        return error(UNKNOWN_EXCEPTION, text.strip() or "the engine gave no reason")
    return ClickHouseError(int(found.group(1)), text[found.start() :].strip())
