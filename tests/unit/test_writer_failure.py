from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from processors.writer.failure import refusal_in

PARSE = (
    "Received ClickHouse exception, code: 27, server response: Code: 27. DB::Exception: Cannot parse input: expected "
    "'{' before: 'x': (at row 1): While executing ParallelParsingBlockInputFormat. "
    "(CANNOT_PARSE_INPUT_ASSERTION_FAILED)"
)


def test_a_parse_error_is_the_rows_fault() -> None:
    refusal = refusal_in(DatabaseError(PARSE, code=27, name="CANNOT_PARSE_INPUT_ASSERTION_FAILED"))
    assert refusal is not None
    assert refusal.name == "CANNOT_PARSE_INPUT_ASSERTION_FAILED"
    assert str(refusal) == "Cannot parse input: expected '{' before: 'x'"


@pytest.mark.parametrize("code", [6, 25, 26, 27, 33, 38, 41, 53, 69, 72, 117, 130, 321, 349, 469])
def test_codes_of_bad_data_are_the_rows_fault(code: int) -> None:
    assert refusal_in(DatabaseError(f"Code: {code}.", code=code)) is not None


def test_an_unknown_code_at_a_row_is_the_rows_fault() -> None:
    error = DatabaseError("Code: 999. DB::Exception: something new: (at row 4)", code=999)
    refusal = refusal_in(error)
    assert refusal is not None
    assert refusal.name == "CODE_999"


@pytest.mark.parametrize(
    "code",
    [
        60,  # UNKNOWN_TABLE: before the migration
        81,  # UNKNOWN_DATABASE
        159,  # TIMEOUT_EXCEEDED
        164,  # READONLY
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        209,  # SOCKET_TIMEOUT
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        319,  # UNKNOWN_STATUS_OF_INSERT
        516,  # AUTHENTICATION_FAILED
        1002,  # UNKNOWN_EXCEPTION
    ],
)
def test_codes_of_a_server_in_trouble_are_outages(code: int) -> None:
    assert refusal_in(DatabaseError(f"Code: {code}. DB::Exception: no", code=code)) is None


def test_a_lost_connection_is_an_outage() -> None:
    assert refusal_in(OperationalError("Error (at row of houses) executing HTTP request")) is None
