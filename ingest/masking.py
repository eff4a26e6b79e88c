"""Masks secrets before Kafka: what a site never meant to send, and nobody should find in an analytics store.

Ids (`event_id`, `visitor_id`, `session_id`, `user_id`) are left as they are: a masked id would be everybody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from ingest.draft import Draft
from ingest.findings import MASKED, Effort, ExhaustedError, bytes_of
from ingest.luhn import MIN_DIGITS, mask_cards
from ingest.secret_rules import RULES, has_secret_name, is_secret_name, rules_for
from schemas.errors import fingerprint

_A_TEXT: Final = 15  # effort that a text with a hint takes beside its findings
_A_NAME: Final = 4  # the same of a property, when names have to be looked at one by one
_MAX_PASSES: Final = 8  # of the rules over a text, of which ordinary ones need two
_LEAST_CARD: Final = 10 ** (MIN_DIGITS - 1)
_ESCAPED: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u00(2[013-9a-fA-F]|[3467][0-9a-fA-F]|5[0-9abd-fABD-F])")
"""A character that JSON has escaped without need; a quotation mark and a backslash are not."""

_ID_NAMES: Final = (
    "event_id",
    "eventId",
    "messageId",
    "visitor_id",
    "visitorId",
    "anonymousId",
    "session_id",
    "user_id",
)


def mask_text(text: str, effort: Effort | None = None) -> str:
    """`text` without the secrets in it; MASKED when they are more than the `effort` that may be made.

    A secret masked may be the border that another lacked ("AKIA..pwd=x"), so the rules run until they find no more:
    twice where they find something, hardly ever a third time.
    """
    try:
        return _masked(text, effort or Effort())
    except ExhaustedError:
        return MASKED


def _masked(text: str, effort: Effort) -> str:
    """As `mask_text`, but raises ExhaustedError."""
    for _ in range(_MAX_PASSES):
        if (found := rules_for(text.encode(errors="replace"))) is None:
            return text
        effort.take(_A_TEXT)
        masked = text
        for index in sorted(found):
            masked = RULES[index].replace(masked, effort)
        if masked == text:
            return text
        text = masked
    return MASKED


def mask_json(text: str, effort: Effort | None = None) -> str:
    """`text` without the secrets in it; if it is JSON it stays JSON, with the ids of an event as they are.

    What is nested too deep to be read and written again (some hundred levels) is masked as any other text is.
    """
    plain = _ESCAPED.sub(lambda found: found[1] + chr(int(found[2], 16)), text) if "\\u00" in text else text
    if rules_for(plain.encode(errors="replace")) is None:
        return text
    effort = effort or Effort()
    try:
        value = msgspec.json.decode(text)
        masked = _mask_value(value, effort)
        if isinstance(value, dict):
            masked |= {name: value[name] for name in _ID_NAMES if name in value}
        return text if masked == value else msgspec.json.encode(masked).decode()
    except (msgspec.DecodeError, RecursionError):  # of decoding, comparing or encoding, which are recursive in C
        return mask_text(plain, effort)
    except ExhaustedError:
        return f'"{MASKED}"'


_TEXTS: Final = ("url", "path", "page", "referrer", "title", "element", "message")


def mask_event(draft: Draft, effort: Effort | None = None) -> None:
    """Take the secrets out of the texts of the complete `draft`; its fingerprint is that of the masked error.

    When that takes more than the `effort` that may be made, all its texts and its properties are MASKED.
    """
    try:
        _mask_event(draft, effort or Effort())
    except ExhaustedError:
        for name in _TEXTS:
            if getattr(draft, name):
                setattr(draft, name, MASKED)
        if draft.props:
            draft.props = {"props": MASKED}
    if draft.kind == "error":
        draft.fingerprint = fingerprint(draft.error_class or "", draft.type, draft.message or "", draft.props or {})


def _mask_event(draft: Draft, effort: Effort) -> None:
    for name in _TEXTS:
        if text := getattr(draft, name):
            setattr(draft, name, _masked(text, effort))
    if draft.props:
        draft.props = _mask_value(draft.props, effort)


def _mask_value(value: Any, effort: Effort) -> Any:
    """A copy of `value`, of JSON, without the secrets in it: step by step, as deep as it may be."""
    todo: list[tuple[Any, Any]] = []  # objects and arrays, and their copies, which are empty yet
    masked = _begun(value, todo, effort)
    while todo:
        whole, copy = todo.pop()
        effort.take(len(whole))
        if isinstance(whole, list):
            copy += [_begun(child, todo, effort) for child in whole]
        elif _are_plain(whole):
            for name, child in whole.items():
                copy[name] = _begun(child, todo, effort)
        else:
            effort.take(_A_NAME * len(whole))
            for name, child in whole.items():
                is_secret = _is_said(child) and is_secret_name(bytes_of(name))
                copy[_masked(name, effort)] = MASKED if is_secret else _begun(child, todo, effort)
    return masked


def _are_plain(names: Iterable[str]) -> bool:
    """Whether none of `names` can be a secret's or hold one. One search is faster than one for each."""
    lines = "\n".join(names)
    return has_secret_name(bytes_of(lines)) is None and rules_for(lines.encode(errors="replace")) is None


def _is_said(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""


def _begun(value: Any, todo: list[tuple[Any, Any]], effort: Effort) -> Any:
    """`value` without secrets; of an object or array the copy that is still to be filled."""
    if isinstance(value, str):
        return _masked(value, effort)
    if isinstance(value, (dict, list)):
        copy: Any = {} if isinstance(value, dict) else []
        todo.append((value, copy))
        return copy
    if isinstance(value, int) and abs(value) >= _LEAST_CARD and not isinstance(value, bool):
        text = str(value)
        masked = mask_cards(text, effort)
        return value if masked == text else masked
    return value
