"""Payment card numbers: found by their issuer's digits, length and check digit, whatever separates their groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ingest.findings import A_FINDING, Effort, bytes_of, compiled

CARD: Final = "[card]"

MIN_DIGITS: Final = 13
MAX_DIGITS: Final = 19

# Ranges that the networks publish (ISO/IEC 7812 issuer numbers): Visa; Mastercard; American Express; Diners Club; JCB;
# Mir; Maestro; UnionPay; Discover; RuPay. Without them one in ten of all order numbers would pass for a card by its
# check digit.
_CARD_RANGES: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}"
    r"|3(?:0[0-5]|09|[689]\d)\d{11,16}"
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"
    r"|220[0-4]\d{12,15}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[123])\d{9,15}"
    r"|62\d{14,17}"
    r"|(?:6011|64[4-9]\d|65\d\d)(?:\d{12}|\d{15})"
    r"|(?:60\d|508|8[12]\d)\d{13}"
)

_SEPARATOR: Final = r"(?: |-|\+|%20|\xa0)"
_RUN: Final = compiled(rf"(?:%20|^|[^0-9A-Za-z_])([0-9](?:{_SEPARATOR}?[0-9]){{{MIN_DIGITS - 1},}})([A-Za-z_])?")
# Cards are printed in groups of three to six digits; dates and phone numbers in shorter ones.
_ROW: Final = compiled(rf"(?:^|{_SEPARATOR})([0-9]{{3,}}(?:{_SEPARATOR}[0-9]{{3,}})*)")
_GROUP: Final = re.compile(rf"{_SEPARATOR}?([0-9]+)", re.ASCII)
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))


def is_card(digits: str) -> bool:
    """Whether `digits` are a card number."""
    return MIN_DIGITS <= len(digits) <= MAX_DIGITS and bool(_CARD_RANGES.fullmatch(digits)) and luhn_valid(digits)


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    backwards = digits.encode()[::-1]
    return (sum(backwards[::2]) - 48 * len(backwards[::2]) + sum(backwards[1::2].translate(_DOUBLED))) % 10 == 0


def mask_cards(text: str, effort: Effort) -> str:
    """`text` with CARD for each card number that stands there on its own, also as part of a longer row of groups."""
    masked, done = [], 0
    for found in _RUN.finditer(bytes_of(text)):
        start, end = found.span(1)
        for groups in _rows(text[start:end]):
            if found[2] is not None and groups[-1][1] == end - start:
                groups.pop()  # a letter follows: it is no number of its own
            for first, last in _cards(groups, effort):
                masked += [text[done : start + first], CARD]
                done = start + last
    return "".join(masked) + text[done:] if masked else text


def _rows(run: str) -> Iterator[list[tuple[int, int, str]]]:
    """Rows of groups that may be parts of cards: where in the `run` each begins, where it ends, its digits."""
    if run.isdecimal():
        yield [(0, len(run), run)]
        return
    for row in _ROW.finditer(bytes_of(run)):
        yield [(*group.span(1), group[1]) for group in _GROUP.finditer(run, *row.span(1))]


def _cards(groups: list[tuple[int, int, str]], effort: Effort) -> Iterator[tuple[int, int]]:
    """Where in a row of groups of digits the card numbers are; of several that overlap the first and longest."""
    effort.take(2 * A_FINDING * len(groups))  # check digits take as long again
    first = 0
    while first < len(groups):
        last = _last_group(groups, first)
        if last is None:
            first += 1
        else:
            yield groups[first][0], groups[last][1]
            first = last + 1


def _last_group(groups: list[tuple[int, int, str]], first: int) -> int | None:
    digits, found = "", None
    for index in range(first, len(groups)):
        group = groups[index][2]
        digits += group
        if len(digits) > MAX_DIGITS:
            break
        if is_card(digits):
            found = index
    return found
