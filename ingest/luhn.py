"""Payment card numbers: found by their issuer's digits, length and check digit, whatever separates their groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

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

_SEPARATOR: Final = r"(?: |-|\+|%20|\u00a0)"
_RUN: Final = re.compile(rf"(?<![0-9A-Za-z_])[0-9]+(?:{_SEPARATOR}[0-9]+)*(?![0-9A-Za-z_])", re.ASCII)
_GROUP: Final = re.compile(rf"{_SEPARATOR}?([0-9]+)", re.ASCII)
_GROUP_MIN_DIGITS: Final = 3  # cards are printed in groups of three to six; dates and phone numbers in shorter ones


def is_card(digits: str) -> bool:
    """Whether `digits` are a card number."""
    return MIN_DIGITS <= len(digits) <= MAX_DIGITS and bool(_CARD_RANGES.fullmatch(digits)) and luhn_valid(digits)


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = ord(digit) - 48
        if place % 2:
            number *= 2
            if number > 9:
                number -= 9
        total += number
    return total % 10 == 0


def mask_cards(text: str) -> str:
    """`text` with CARD for each card number that stands there on its own, also as part of a longer row of groups."""
    return _RUN.sub(_mask_run, text) if len(text) >= MIN_DIGITS else text


def _mask_run(run: re.Match[str]) -> str:
    text = run[0]
    if len(text) < MIN_DIGITS:
        return text
    masked, done = [], 0
    for start, end in _cards(text):
        masked += [text[done:start], CARD]
        done = end
    return "".join(masked) + text[done:] if masked else text


def _cards(run: str) -> Iterator[tuple[int, int]]:
    """Where in a row of groups of digits the card numbers are; of several that overlap the first and longest."""
    groups = [(*group.span(1), group[1]) for group in _GROUP.finditer(run)]
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
        if len(group) < _GROUP_MIN_DIGITS or len(digits) > MAX_DIGITS:
            break
        if is_card(digits):
            found = index
    return found
