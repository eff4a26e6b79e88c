"""Telling rows that ClickHouse will never take from a ClickHouse that cannot take any now."""

from __future__ import annotations

import re
from typing import Final

from clickhouse_connect.driver.exceptions import Error

# ClickHouse's ErrorCodes.cpp: codes that say that the data, not the server, is at fault.
_DATA_CODES: Final = {
    6: "CANNOT_PARSE_TEXT",
    25: "CANNOT_PARSE_ESCAPE_SEQUENCE",
    26: "CANNOT_PARSE_QUOTED_STRING",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    33: "CANNOT_READ_ALL_DATA",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    130: "CANNOT_READ_ARRAY_FROM_TEXT",
    131: "TOO_LARGE_STRING_SIZE",
    190: "SIZES_OF_ARRAYS_DONT_MATCH",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    376: "CANNOT_PARSE_UUID",
    407: "DECIMAL_OVERFLOW",
    467: "CANNOT_PARSE_BOOL",
    469: "VIOLATED_CONSTRAINT",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}
_AT_ROW: Final = "(at row "  # ends the message of whatever a row's text made a row format throw
_REASON: Final = re.compile(r"DB::Exception: (.*?)(?:: \(at row \d+\)|: While executing|\(version|$)", re.DOTALL)


class RowsRefusedError(Exception):
    """ClickHouse refuses at least one row of an insert, and would again. `name`: its symbolic error name."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def refusal_in(error: Error) -> RowsRefusedError | None:
    """The refusal of rows that `error` stands for; None for an outage, after which the same insert may succeed.

    Everything unknown is an outage: waiting loses nothing, while a row wrongly called poison is one to mend by hand.
    """
    message = str(error)
    if error.code in _DATA_CODES or (error.code is not None and _AT_ROW in message):
        reason = _REASON.search(message)
        return RowsRefusedError(
            error.name or _DATA_CODES.get(error.code, f"CODE_{error.code}"), reason[1].strip() if reason else message
        )
    return None
