"""Secrets are masked, and what only looks like one is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.draft import Draft
from ingest.findings import MASKED, Effort
from ingest.masking import mask_event, mask_json, mask_text
from ingest.secret_rules import RULES
from schemas.event import from_ms

NOW = from_ms(1_795_521_600_000)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://shop.example/a?token=abc&x=1", "https://shop.example/a?token=[masked]&x=1"),
        ("https://shop.example/a#access_token=abc", "https://shop.example/a#access_token=[masked]"),
        ("?X-Amz-Signature=0f&X-Amz-Expires=60", "?X-Amz-Signature=[masked]&X-Amz-Expires=60"),
        ("?user[password]=a&user[name]=b", "?user[password]=a&user[name]=b"),
        ("?next=%2Flogin%3Ftoken%3Dabc", "?next=%2Flogin%3Ftoken%3D[masked]"),
        ("?PWD=Ab&Pin=12", "?PWD=[masked]&Pin=[masked]"),
        ("?password_confirmation=x", "?password_confirmation=[masked]"),
        ("login failed: password=hunter2, user=joe", "login failed: password=[masked] user=joe"),
        ('POST {"password": "hu\\"nter", "a": 1}', 'POST {"password": "[masked]", "a": 1}'),
        ('{"body":"{\\"pin\\":\\"12 34\\"}"}', '{"body":"{\\"pin\\":\\"[masked]\\"}"}'),
        ('{"cvv":123,"apiKey":"cut o', '{"cvv":"[masked]","apiKey":"[masked]"'),
        ("postgres://joe:hunter2@db/shop", "postgres://[masked]@db/shop"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer [masked]"),
        (f"/confirm/{JWT}/now", "/confirm/[masked]/now"),
        ("key sk_live_0123456789abcdef", "key [masked]"),
        ("AKIAIOSFODNN7EXAMPLE", "[masked]"),
        ("paid with 4111 1111 1111 1111 123", "paid with [card] 123"),
        ("/pay/4111-1111-1111-1111", "/pay/[card]"),
        ("?card=4111+1111+1111+1111", "?card=[card]"),
        ("?card=4111%201111%201111%201111&a", "?card=[card]&a"),
        ("card:\n4222222222222", "card:\n[card]"),
        ("3782 822463 10005", "[card]"),
        ("?q=card%204111111111111111", "?q=card%20[card]"),
        ("mailto:joe.bloggs+shop@mail.example.co.uk?a", "mailto:[email]?a"),
        ("?email=joe%40shop.example&b", "?email=[email]&b"),
        ("jürgen@bücher.example", "[email]"),
        ("a@shop.example,b@shop.example", "[email],[email]"),
    ],
)
def test_secrets_are_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://shop.example/cart?utm_source=news&id=42#top",
        "?author=joe&passenger=2&design=x&pinned=1&tokenizer=bpe&secretary=ann&signed=yes",
        "https://cdn.example/logo@2x.png",
        "https://cdn.example/npm/react@18.2.0/umd/react.js",
        "https://social.example/@joe/1",
        "Basic information about the order",
        "550e8400-e29b-41d4-a716-446655440000",
        "order 2026112500001234",
        "order 4111111111111112",
        "sku 9780306406157",
        "2026-11-25 12:00:00 2026-11-26 12:00:00",
        "1795521600000 and 1795521600000123",
        "call +49 30 1234 5678 or 0800 123 456 789",
        "build 00004111111111111111 of a4111111111111111b",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert mask_text(text) == text


def event(**fields: Any) -> Draft:
    kind = fields.pop("kind", "clickstream")
    return Draft(event_id="e", kind=kind, type="js_error", ts=NOW, **fields)


def test_every_text_of_an_event_is_masked_and_its_ids_are_not() -> None:
    secret = "joe@shop.example"
    texts = ("url", "path", "page", "referrer", "title", "element", "message")
    ids = ("visitor_id", "session_id", "user_id")
    masked = event(**dict.fromkeys((*texts, *ids), secret), props={"a": {"b": [secret, 1]}, secret: None})
    mask_event(masked)
    assert {getattr(masked, name) for name in texts} == {"[email]"}
    assert {getattr(masked, name) for name in ids} == {secret}
    assert masked.props == {"a": {"b": ["[email]", 1]}, "[email]": None}


def test_a_property_named_like_a_secret_loses_its_value() -> None:
    masked = event(
        props={
            **{"password": "hunter2", "newPassword": "a", "user_token": "b", "pin": 1234, "CVV": "123"},
            **{"password_set": True, "token": {"kind": "x"}, "secret": "", "tokens": 7, "keyword": "shoes"},
        }
    )
    mask_event(masked)
    assert masked.props == {
        **dict.fromkeys(("password", "newPassword", "user_token", "pin", "CVV"), "[masked]"),
        **{"password_set": True, "token": {"kind": "x"}, "secret": "", "tokens": 7, "keyword": "shoes"},
    }


def test_a_card_number_is_masked_as_a_number_too() -> None:
    masked = event(props={"card": 4111111111111111, "order": 2026112500001234, "flag": True, "price": 4.5})
    mask_event(masked)
    assert masked.props == {"card": "[card]", "order": 2026112500001234, "flag": True, "price": 4.5}


def test_one_error_of_many_people_is_one_error() -> None:
    errors = [event(kind="error", message=f"no account for {who}@shop.example") for who in ("ann", "bob")]
    for error in errors:
        mask_event(error)
    assert errors[0].fingerprint == errors[1].fingerprint != ""


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"type": 1, "title": "x"}', '{"type": 1, "title": "x"}'),
        ('{"event_id": 303076103110114, "n": 303076103110114}', '{"event_id":303076103110114,"n":"[card]"}'),
        (
            '{"visitor_id": "a@b.example", "props": {"pin": 12}}',
            '{"visitor_id":"a@b.example","props":{"pin":"[masked]"}}',
        ),
        ('{"title": "joe@shop.example", cut', '{"title": "[email]", cut'),
        ('["joe@shop.example"]', '["[email]"]'),
    ],
)
def test_refused_json_is_masked_and_stays_json(text: str, masked: str) -> None:
    assert mask_json(text) == masked


@pytest.mark.parametrize(("o", "c", "n"), [("[", "]", 900), ('{"a":', "}", 250), ("[", "]", 5000)])
@pytest.mark.parametrize("secret", ["joe@mail.example", r"joe\u0040mail.example"])
def test_refused_json_of_any_depth_is_masked(o: str, c: str, n: int, secret: str) -> None:
    masked = mask_json(o * n + f'"{secret}"' + c * n)
    assert "joe" not in masked
    assert masked == o * n + '"[email]"' + c * n


def test_an_event_of_any_depth_is_masked() -> None:
    value: Any = "joe@mail.example"
    for _ in range(5000):
        value = [value]
    masked = event(props={"a": value})
    mask_event(masked)
    found = (masked.props or {})["a"]
    while isinstance(found, list):
        (found,) = found
    assert found == "[email]"


HOSTILE = {
    "parameters": "token=a&",
    "parameters far apart": "token=" + "a" * 90 + "&",
    "members": '"pwd":"a",',
    "members that do not end": '"pwd":"a',
    "credentials": "://a:b@c ",
    "bearer": "bearer aaaaaaa1 ",
    "tokens": "eyJaaaa.aaaa ",
    "keys": "sk_live_0123456789 ",
    "cards": "4111111111111111,",
    "cards in groups": "4111 1111 1111 1111,",
    "groups": "411 ",
    "addresses": "a@b.cc ",
    "domains": "#@b.cc ",
    "at signs": "@",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_of_a_text_full_of_secrets_nothing_is_left_and_the_work_is_bounded(piece: str) -> None:
    effort = Effort(2000)
    masked = mask_text(piece * 5000, effort)
    assert masked == MASKED
    assert effort.left < 0
    few = mask_text(piece * 20, Effort(2000))
    assert few != MASKED
    assert (few == piece * 20) is (piece in ("#@b.cc ", "@", "411 "))


def test_when_the_effort_is_spent_an_event_keeps_its_ids_only() -> None:
    effort = Effort(150)
    first, second, last = (
        event(kind="error", visitor_id="v", url="https://a/?token=b", message="joe@shop.example", props={"a": value})
        for value in ("joe@shop.example", ["joe@shop.example"] * 20, 1)
    )
    for found in (first, second, last):
        mask_event(found, effort)
    assert (first.url, first.props) == ("https://a/?token=[masked]", {"a": "[email]"})
    for found in (second, last):
        assert (found.visitor_id, found.url, found.message) == ("v", MASKED, MASKED)
        assert found.props == {"props": MASKED}
        assert found.fingerprint


def test_many_members_are_work_too() -> None:
    """They take longer to walk through than a search over all of them."""
    masked = event(props={"a": "joe@shop.example", "b": [1] * 1000})
    mask_event(masked, Effort(500))
    assert masked.props == {"props": MASKED}


def test_refused_json_full_of_secrets_stays_json() -> None:
    assert mask_json('{"a": [' + '"joe@shop.example",' * 50 + '""]}', Effort(100)) == '"[masked]"'
    assert mask_json('{"a": "' + "joe@shop.example," * 50, Effort(100)) == "[masked]"


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
