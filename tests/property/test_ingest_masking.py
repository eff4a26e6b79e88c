"""A card number never survives, ordinary numbers always do, and no hint hides a secret from its rule."""

from __future__ import annotations

import string
from datetime import date
from functools import reduce

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.draft import Draft
from ingest.luhn import luhn_valid
from ingest.masking import mask_event, mask_text
from ingest.secret_rules import RULES, rules_for
from schemas.event import from_ms

NOW = from_ms(1_795_521_600_000)

# (first digits, lengths) as the networks publish them; written out here so that the test does not share the rule's code
NETWORKS: dict[str, tuple[int, ...]] = {
    "4": (13, 16, 19),
    **dict.fromkeys(("51", "55", "2221", "2720", "81", "82", "60", "508"), (16,)),
    **dict.fromkeys(("34", "37"), (15,)),
    **dict.fromkeys(("300", "305", "36"), (14, 16, 19)),
    **dict.fromkeys(("38", "39", "3528", "3589", "6011", "644", "65", "2200"), (16, 19)),
    "62": (16, 17, 18, 19),
    **dict.fromkeys(("5018", "6304", "6759", "6763"), (13, 16, 18, 19)),
}


def with_check_digit(digits: str) -> str:
    return next(digits + last for last in string.digits if luhn_valid(digits + last))


@st.composite
def cards(draw: st.DrawFn) -> str:
    first, lengths = draw(st.sampled_from(sorted(NETWORKS.items())))
    length = draw(st.sampled_from(lengths))
    rest = draw(st.text("0123456789", min_size=length - 1 - len(first), max_size=length - 1 - len(first)))
    return with_check_digit(first + rest)


@st.composite
def printed_cards(draw: st.DrawFn) -> str:
    """A card number as people write it: in one piece, or in groups of four or of four, six and five."""
    card = draw(cards())
    separator = draw(st.sampled_from([" ", "-", "+", "%20", "\u00a0"]))
    groups = draw(st.sampled_from([(19,), (4, 4, 4, 4, 3), (4, 6, 9)]))
    pieces = reduce(lambda done, size: [*done[:-1], done[-1][:size], done[-1][size:]], groups, [card])
    pieces = [piece for piece in pieces if piece]
    if len(pieces) > 1 and len(pieces[-1]) < 3:  # nobody writes the last one or two digits on their own
        pieces[-2:] = ["".join(pieces[-2:])]
    return separator.join(pieces)


surroundings = st.sampled_from(
    ["", " ", "\n", "\t", '"', "(", ":", "/", "=", "?card=", "no. ", "é ", "[", "\x00", "12 "]
)


@given(
    card=printed_cards(),
    before=surroundings,
    after=st.sampled_from(["", " ", "\n", '"', ")", "&a=b", "/", ".", " 123"]),
)
@example(card="4111 1111 1111 1111", before="\n", after=" 123")
def test_a_card_number_never_survives(card: str, before: str, after: str) -> None:
    text = f"{before}{card}{after}"
    event = Draft(event_id="e", kind="clickstream", type="click", ts=NOW, title=text, props={"a": [text]})
    assert rules_for(msgspec.json.encode(event)) is not None
    mask_event(event)
    assert event.title
    assert card not in event.title
    assert "[card]" in event.title
    assert event.props == {"a": [event.title]}


ordinary = st.one_of(
    st.uuids().map(str),
    st.integers(10**12, 2 * 10**12 - 1).map(str),  # Unix times in ms ..
    st.integers(10**15, 2 * 10**15 - 1).map(str),  # .. and in us
    st.integers(10**18, 2 * 10**18 - 1).map(str),  # ids made of time, such as Twitter's
    st.builds(
        "{:%Y%m%d}{:06}".format, st.dates(NOW.date(), date(2050, 1, 1)), st.integers(0, 999_999)
    ),  # order numbers
    st.integers(0, 10**12 - 1).map(str),
    st.datetimes(NOW.replace(tzinfo=None)).map(lambda moment: moment.isoformat(" ")),
    st.decimals(0, 10**9, places=2).map(str),
)


@given(st.lists(ordinary, min_size=1, max_size=3).map(", ".join))
def test_ordinary_numbers_always_survive(text: str) -> None:
    assert mask_text(text) == text


fragments = st.sampled_from(
    [
        *(
            "token",
            "password",
            "secret",
            "pwd",
            "sig",
            "auth",
            "api_key",
            "user_",
            "=",
            "%3D",
            "&",
            "?",
            "#",
            '"',
            '\\"',
        ),
        *(
            ":",
            " ",
            "\n",
            "\t",
            "@",
            "%40",
            "shop.example",
            "joe",
            "://",
            "/",
            "Bearer ",
            "basic+",
            "eyJabcd",
            ".",
            "-",
        ),
        *("4111111111111111", "4111 1111", "1111-1111", "sk_live_0123456789", "AKIAIOSFODNN7EXAMPLE", "x", "é", "\\"),
    ]
)
texts = st.one_of(st.lists(fragments, max_size=12).map("".join), st.text(max_size=40))


@given(texts)
@example("user_pwd=token")
def test_no_hint_hides_a_secret_from_its_rule(text: str) -> None:
    event = Draft(event_id="e", kind="clickstream", type="t", ts=NOW, message=text)
    hinted = {
        place: set(rules_for(where) or ())
        for place, where in (("text", text.encode()), ("line", msgspec.json.encode(event)))
    }
    for index, rule in enumerate(RULES):
        if rule.mask(text) != text:
            assert index in hinted["text"], f"{rule.name} in the text itself"
            assert index in hinted["line"], f"{rule.name} in the encoded event"


@given(texts)
@example("AKIAIOSFODNN7EXAMPLEpwd=token")
def test_masking_twice_is_masking_once(text: str) -> None:
    masked = mask_text(text)
    assert mask_text(masked) == masked
