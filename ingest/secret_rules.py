"""What a secret looks like, in texts and by a property's name.

RULES is the one table. Each rule has a hint: a pattern (RE2 syntax) that must be in an encoded event for the rule to
find anything there. All hints together are one compiled automaton, so an event without any of them, nearly every one,
costs a single linear search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import re2

from ingest.emails import mask_emails
from ingest.findings import MASKED, SPACE, Effort, compiled, replacing
from ingest.luhn import mask_cards

_LONG_NAMES: Final = (
    r"token|passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|jsessionid|sessid|signature"
    r"|card[_-]?number"
)
_SHORT_NAMES: Final = r"pwd|pass|auth|authorization|sig|jwt|otp|pin|cvv2?|cvc2?|ssn|iban"
_CONFIRM: Final = r"(?:[_-]?confirm(?:ation)?)?"

_SECRET_NAME: Final = rf"(?:[\w.$\[\]-]*(?:{_LONG_NAMES}){_CONFIRM}|{_SHORT_NAMES})"
is_secret_name: Final = compiled(rf"(?i){_SECRET_NAME}").fullmatch
"""Matches names (`bytes_of` them) of properties whose value is a secret whatever it looks like; a long one may be an
ending."""
has_secret_name: Final = compiled(rf"(?im)^{_SECRET_NAME}$").search
"""Finds such a name in lines, one name each."""

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
    replace: Callable[[str, Effort], str]

    def mask(self, text: str) -> str:
        """`text` without what this rule finds."""
        return self.replace(text, Effort())


_NO_SPACE: Final = SPACE + r"\"'"
_VALUE: Final = r"[\w+/.~=-]"
# At least eight characters, one of which no word has.
_VALUE_OF_8: Final = "|".join(
    (*(rf"[a-z_.~-]{{{n}}}[0-9+/=]{_VALUE}{{{7 - n},}}" for n in range(8)), rf"[a-z_.~-]{{8,}}[0-9+/=]{_VALUE}*")
)

RULES: Final = (
    Rule(
        "parameters",  # ?token=.., #access_token=.., "login failed: password=.."
        rf"(?i:(?:{_LONG_NAMES}){_CONFIRM}(?:=|%3d)|(?:_|{_BEFORE})(?:{_SHORT_NAMES})(?:=|%3d))",
        replacing(
            rf"(?i)((?:{_LONG_NAMES}){_CONFIRM}(?:=|%3d)|(?:^|[^0-9a-z])(?:{_SHORT_NAMES})(?:=|%3d))"
            rf"[^&;#<>\\{_NO_SPACE}]+",
            *(1, MASKED),
        ),
    ),
    Rule(
        "members",  # "password": ".." of JSON that stands in a text; a property itself goes by its name
        rf'(?i:(?:(?:{_LONG_NAMES}){_CONFIRM}|"(?:{_SHORT_NAMES}))\\*"{_SPACE}*:)',
        replacing(
            rf'(?is)((?:(?:{_LONG_NAMES}){_CONFIRM}|"(?:{_SHORT_NAMES}))(\\?")[{SPACE}]*:[{SPACE}]*)'
            r'(?:"(?:[^"\\]|\\.)*(?:"|\z)|\\".*?(?:\\"|\z)|[0-9][0-9.]*)',
            *(1, 2, MASKED, 2),
        ),
    ),
    Rule(
        "credentials",  # https://user:password@host
        "@",
        replacing(rf"://[^/@:{_NO_SPACE}]*:[^/@{_NO_SPACE}]*@", f"://{MASKED}@"),
    ),
    Rule(
        "authorization",
        rf"(?i:(?:bearer|basic)(?:{_SPACE}|%20|\+))",
        replacing(rf"(?i)\b((?:bearer|basic)(?:[{SPACE}]+|%20|\+))(?:{_VALUE_OF_8})", 1, MASKED),
    ),
    Rule("json web tokens", "eyJ", replacing(r"(^|[^\w-])eyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)*", 1, MASKED)),
    Rule("vendors' keys", _VENDOR_PREFIX, replacing(_VENDOR_KEY, MASKED)),
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
