"""Coupon denied: each refusal, with code and reason under any of their names."""

from __future__ import annotations

from tests.unit.friction.facts import fact, find


def test_each_refusal_counts_with_its_reason() -> None:
    denied = [
        fact(0, "coupon_denied", coupon="SAVE", reason="expired"),
        fact(1, "coupon_denied", coupon_id=7, message="not for sale items"),
        fact(2, "coupon_denied", coupon_code="X"),
        fact(3, "coupon_denied"),
        fact(4, "coupon_applied", coupon="Y"),
    ]
    assert [found.evidence for found in find("coupon_denied", *denied)] == [
        {"coupon": "SAVE", "reason": "expired"},
        {"coupon": "7", "reason": "not for sale items"},
        {"coupon": "X", "reason": ""},
        {"coupon": "", "reason": ""},
    ]
