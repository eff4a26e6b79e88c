"""Payment failed: soft and hard apart, by what the client says, else by the code."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.friction.facts import fact, find


@pytest.mark.parametrize(
    ("props", "hard"),
    [
        ({"error_type": "hard"}, True),
        ({"error_type": "Soft", "error_code": "stolen_card"}, False),
        ({"error_code": "expired_card"}, True),
        ({"error_type": "stolen_card"}, True),
        ({"error_code": "insufficient_funds"}, False),
        ({"error_type": "card_declined"}, False),
        ({}, False),
        ({"error_type": None, "error_code": 51}, False),
    ],
)
def test_a_refusal_is_soft_or_hard(props: dict[str, Any], hard: bool) -> None:
    failed = fact(0, "payment_failed", **props)
    assert len(find("payment_failed_hard", failed)) == int(hard)
    assert len(find("payment_failed_soft", failed)) == int(not hard)


def test_each_refusal_counts_and_is_numbered() -> None:
    failed = [
        fact(0, "payment_failed", error_code="insufficient_funds", payment_method="card", message="No"),
        fact(1, "payment_failed", error_type="hard"),
        fact(2, "payment_failed", error_type="soft", error_code=5),
    ]
    soft = [found.evidence for found in find("payment_failed_soft", *failed)]
    assert soft[0] == {"code": "insufficient_funds", "method": "card", "failure": 1, "message": "No"}
    assert [evidence["failure"] for evidence in soft] == [1, 3]
    assert [found.evidence["failure"] for found in find("payment_failed_hard", *failed)] == [2]
