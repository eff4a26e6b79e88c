"""Masks secrets before Kafka: what a site never meant to send, and nobody should find in an analytics store.

RULES is the one table. Each rule has a hint: a pattern (RE2 syntax) that must be in an encoded event for the rule to
find anything there. All hints together are one compiled automaton, so an event without any of them, nearly every one,
costs a single linear search.

Ids (`event_id`, `visitor_id`, `session_id`, `user_id`) are left as they are: a masked id would be everybody's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import re2

from ingest.draft import Draft
from ingest.emails import mask_emails
from ingest.luhn import mask_cards
from schemas.errors import fingerprint

MASKED: Final = "[masked]"

_LONG_NAMES: Final = (
    r"token|passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|jsessionid|sessid|signature"
    r"|card[_-]?number"
)
_SHORT_NAMES: Final = r"pwd|pass|auth|authorization|sig|jwt|otp|pin|cvv2?|cvc2?|ssn|iban"
_CONFIRM: Final = r"(?:[_-]?confirm(?:ation)?)?"

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

_SECRET_NAME: Final = re.compile(rf"[\w.$\[\]-]*(?:{_LONG_NAMES}){_CONFIRM}|{_SHORT_NAMES}", re.IGNORECASE | re.ASCII)
"""Names of properties whose value is a secret whatever it looks like; a long one may be an ending."""

# Prefixes under which vendors issue keys (gitleaks' rules of the same names): Stripe, GitHub, GitLab, Slack, AWS,
# Google, SendGrid.
_VENDOR_PREFIX: Final = r"[rs]k_live_|[rs]k_test_|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|AKIA|ASIA|AIza|SG\."
_VENDOR_KEY: Final = (
    r"(?:[rs]k_(?:live|test)_[0-9A-Za-z]{10,}|gh[pousr]_[0-9A-Za-z]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}"
    r"|xox[abeoprs]-[0-9A-Za-z-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16,}|AIza[0-9A-Za-z_-]{35,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,})"
)

# In an encoded event a control character is an escape that ends in a letter or a digit.
_ESCAPE: Final = r"\\(?:[bfnrt]|u00[0-9a-f]{2})"
_SPACE: Final = rf"(?:\s|{_ESCAPE})"
_BEFORE: Final = rf"(?:^|[^0-9A-Za-z_]|%20|{_ESCAPE})"


@dataclass(frozen=True)
class Rule:
    """What one kind of secret looks like. `hint` is explained above; `mask` gives the text without the secret."""

    name: str
    hint: str
    mask: Callable[[str], str]


def _replacing(pattern: str, replacement: str, flags: int = 0) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.ASCII | flags)
    return lambda text: compiled.sub(replacement, text)


# No pattern may begin with a repetition: on hostile texts the time would grow with the square of their length.
RULES: Final = (
    Rule(
        "parameters",  # ?token=.., #access_token=.., "login failed: password=.."
        rf"(?i:(?:{_LONG_NAMES}){_CONFIRM}(?:=|%3d)|(?:_|{_BEFORE})(?:{_SHORT_NAMES})(?:=|%3d))",
        _replacing(
            rf"((?:{_LONG_NAMES}){_CONFIRM}|(?<![0-9a-z])(?:{_SHORT_NAMES}))(=|%3d)[^&;#\s\"'<>\\]+",
            rf"\1\2{MASKED}",
            re.IGNORECASE,
        ),
    ),
    Rule(
        "members",  # "password": ".." of JSON that stands in a text; a property itself goes by its name
        rf'(?i:(?:(?:{_LONG_NAMES}){_CONFIRM}|"(?:{_SHORT_NAMES}))\\*"{_SPACE}*:)',
        _replacing(
            rf'((?:{_LONG_NAMES}){_CONFIRM}|"(?:{_SHORT_NAMES}))(\\?")(\s*:\s*)'
            r'(?:"(?:[^"\\]|\\.)*(?:"|\Z)|\\"(?:(?!\\").)*(?:\\"|\Z)|[0-9][0-9.]*)',
            rf"\1\2\3\2{MASKED}\2",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    Rule(
        "credentials",  # https://user:password@host
        "@",
        _replacing(r"://[^/\s\"'@:]*:[^/\s\"'@]*@", rf"://{MASKED}@"),
    ),
    Rule(
        "authorization",
        rf"(?i:(?:bearer|basic)(?:{_SPACE}|%20|\+))",
        _replacing(
            r"\b(bearer|basic)(\s+|%20|\+)(?=[a-z_.~-]*[0-9+/=])[\w+/.~=-]{8,}", rf"\1\2{MASKED}", re.IGNORECASE
        ),
    ),
    Rule("json web tokens", "eyJ", _replacing(r"(?<![\w-])eyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)*", MASKED)),
    Rule("vendors' keys", _VENDOR_PREFIX, _replacing(_VENDOR_KEY, MASKED)),
    Rule("card numbers", rf"{_BEFORE}[2-68](?:(?: |-|\+|%20|\xc2\xa0)?[0-9]){{12}}", mask_cards),
    Rule("e-mail addresses", r"@|%40", mask_emails),
)
"""In the order in which they are applied."""


def _compile_hints() -> Any:
    options = re2.Options()
    options.never_capture = True
    options.encoding = re2.Options.Encoding.LATIN1  # every hint is ASCII: bytes are searched as they are
    hints = re2.Set.SearchSet(options)
    for rule in RULES:
        hints.Add(rule.hint.encode())
    hints.Compile()
    return hints


rules_for: Final[Callable[[bytes], list[int] | None]] = _compile_hints().Match
"""Which of RULES may find something in a text or in encoded events, by index; None if none can."""


def mask_text(text: str) -> str:
    """`text` without the secrets in it.

    A secret masked may be the border that another lacked ("AKIA..pwd=x"), so the rules run until they find no more:
    twice where they find something, hardly ever a third time.
    """
    while (found := rules_for(text.encode(errors="replace"))) is not None:
        masked = text
        for index in sorted(found):
            masked = RULES[index].mask(masked)
        if masked == text:
            break
        text = masked
    return text


def mask_json(text: str) -> str:
    """`text` without the secrets in it; if it is JSON it stays JSON, with the ids of an event as they are."""
    if rules_for(text.encode(errors="replace")) is None:
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return mask_text(text)
    masked = _mask_value(value)
    if isinstance(value, dict):
        masked |= {name: value[name] for name in _ID_NAMES if name in value}
    return text if masked == value else msgspec.json.encode(masked).decode()


_TEXTS: Final = ("url", "path", "page", "referrer", "title", "element", "message")


def mask_event(draft: Draft) -> None:
    """Take the secrets out of the texts of the complete `draft`; its fingerprint is that of the masked error."""
    for name in _TEXTS:
        if text := getattr(draft, name):
            setattr(draft, name, mask_text(text))
    if draft.props:
        draft.props = _mask_members(draft.props)
    if draft.kind == "error":
        draft.fingerprint = fingerprint(draft.error_class or "", draft.type, draft.message or "", draft.props or {})


def _mask_members(members: dict[str, Any]) -> dict[str, Any]:
    return {mask_text(name): _mask_member(name, value) for name, value in members.items()}


def _mask_member(name: str, value: Any) -> Any:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool) and _SECRET_NAME.fullmatch(name):
        return MASKED if value != "" else value
    return _mask_value(value)


def _mask_value(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return _mask_members(value)
    if isinstance(value, list):
        return [_mask_value(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
        masked = mask_cards(text)
        return value if masked == text else masked
    return value
