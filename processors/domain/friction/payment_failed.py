"""Payment failed, soft and hard apart: a soft refusal may work when tried again, a hard one never will."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal

# Stripe's decline codes whose advice is another card; every other code is worth a second try.
_HARD_CODES: Final = frozenset(
    {
        "card_not_supported",
        "currency_not_supported",
        "expired_card",
        "fraudulent",
        "incorrect_number",
        "invalid_account",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
        "lost_card",
        "merchant_blacklist",
        "new_account_information_available",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    }
)


def find_soft(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Soft refusals among `facts`; no thresholds."""
    yield from _find("payment_failed_soft", facts, hard=False)


def find_hard(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Hard refusals among `facts`; no thresholds."""
    yield from _find("payment_failed_hard", facts, hard=True)


def _find(signal: str, facts: Sequence[Fact], *, hard: bool) -> Iterator[Signal]:
    failures = 0
    for fact in facts:
        if fact.type == "payment_failed":
            failures += 1
            if _is_hard(fact) is hard:
                evidence: dict[str, object] = {
                    "code": fact.text("error_code", "error_type"),
                    "method": fact.text("payment_method"),
                    "failure": failures,
                    "message": fact.message,
                }
                yield Signal(signal, fact, fact, evidence)


def _is_hard(fact: Fact) -> bool:
    """What the client says (Snowplow's error_type), else what the processor's code means."""
    said = fact.text("error_type").lower()
    if said in ("soft", "hard"):
        return said == "hard"
    return said in _HARD_CODES or fact.text("error_code").lower() in _HARD_CODES
