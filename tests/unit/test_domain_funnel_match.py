"""Matchers: what an event is to a funnel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from processors.domain.fact import Fact, decode_lines, to_fact
from processors.domain.funnels.attempt import AbandonRules, Plan, find_attempts
from processors.domain.funnels.match import Roles, properties_of
from processors.domain.rules import Rules
from schemas.funnel import load_funnels, parse_funnel
from tests.unit.test_domain_fact import make_fact, make_line

END = '[[steps]]\nname = "end"\ntype = "end"\n'


def matches(step: str, fact: Fact) -> bool:
    """Whether `fact` is the step described by TOML `step`."""
    roles = Plan(parse_funnel(f'name = "f"\n[[steps]]\nname = "it"\n{step}\n{END}', "f")).matcher.roles(fact)
    return roles is not None and 0 in roles.steps


@pytest.mark.parametrize(
    ("path", "fits"),
    [("/signup", True), ("/signup/plan", True), ("/sign", False), ("/a/signup", False), ("/signup?x\n", True)],
)
def test_a_path_glob(path: str, fits: bool) -> None:
    step = 'type = "page_view"\npath = "/signup*"'
    for _ in range(2):  # the second time from memory
        assert matches(step, make_fact(0, path=path)) is fits
    assert not matches(step, make_fact(0, "click", path=path))


def test_everything_but_the_star_is_plain_text() -> None:
    step = 'element = "input[name=a.b]*"'
    assert matches(step, make_fact(0, "click", element="input[name=a.b] > span"))
    assert not matches(step, make_fact(0, "click", element="input[name=aXb]"))


def test_several_alternatives_and_a_match_without_a_type() -> None:
    step = 'any_of = [{ type = "lead" }, { path = "/thanks", element = "#done" }]'
    assert matches(step, make_fact(0, "lead"))
    assert matches(step, make_fact(0, "click", path="/thanks", element="#done"))
    assert not matches(step, make_fact(0, "click", path="/thanks"))


@pytest.mark.parametrize(
    ("condition", "fitting", "others"),
    [
        ("value = 2", [2.0, "2", "2.0"], [3.0, "two", True, None]),
        ('value = "2"', [2.0, "2"], ["02a", None]),
        ("value = true", [True, "true"], [1.0, False, None]),
        ('op = "ne", value = "pro"', ["free", 1.0], ["pro", None]),
        ('op = "in", value = ["a", 3]', ["a", 3.0, "3"], ["b", None]),
        ('op = "not_in", value = ["a", 3]', ["b", 4.0], ["a", 3.0, None]),
        ('op = "gt", value = 3', [3.5, "4"], [3.0, "x", True, None]),
        ('op = "ge", value = 3', [3.0], [2.9]),
        ('op = "lt", value = 3', [2.9, "-1"], [3.0, None]),
        ('op = "le", value = 3.5', [3.5], [3.6]),
        ('op = "contains", value = "ro"', ["pro"], ["free", None]),
        ('op = "glob", value = "p*o"', ["pro", "piano"], ["prom", None]),
        ('op = "exists"', ["", 0.0, False], [None]),
        ('op = "missing"', [None], ["", 0.0, False]),
    ],
)
def test_conditions_on_properties(condition: str, fitting: list[Any], others: list[Any]) -> None:
    step = f'type = "t"\nwhere = [{{ property = "p", {condition} }}]'
    for value, fits in [(v, True) for v in fitting] + [(v, False) for v in others]:
        fact = make_fact(0, "t", props=None if value is None else {"p": value})
        assert matches(step, fact) is fits, value


def test_all_conditions_must_hold() -> None:
    step = 'type = "t"\nwhere = [{ property = "a", value = 1 }, { property = "b", op = "exists" }]'
    assert matches(step, make_fact(0, "t", props={"a": 1.0, "b": "x"}))
    assert not matches(step, make_fact(0, "t", props={"a": 1.0}))


def test_exclusions_and_leaves_have_their_roles() -> None:
    text = (
        'name = "f"\nleave = [{ type = "bye" }]\n[[steps]]\nname = "a"\ntype = "a"\n'
        f'{END}[[exclude]]\nname = "x"\nany_of = [{{ type = "x" }}, {{ type = "a", path = "/x" }}]\n'
    )
    matcher = Plan(parse_funnel(text, "f")).matcher
    assert matcher.roles(make_fact(0, "a")) == Roles((0,), (), False, 0)
    assert matcher.roles(make_fact(0, "a", path="/x")) == Roles((0,), (0,), False, 0)
    assert matcher.roles(make_fact(0, "x")) == Roles((), (0,), False)
    assert matcher.roles(make_fact(0, "bye")) == Roles((), (), True)
    assert matcher.roles(make_fact(0, "other")) is None


def test_only_properties_that_are_read_are_kept() -> None:
    text = (
        'name = "f"\nvalue = ["worth"]\nbreakdown = ["plan"]\n[[steps]]\nname = "a"\ntype = "a"\n'
        'where = [{ property = "p", op = "exists" }]\n[[steps]]\nname = "b"\nelement = "#b"\n'
    )
    names = properties_of(parse_funnel(text, "f"))
    assert names == {"a": {"p", "worth", "plan", "currency"}, "": {"worth", "plan", "currency"}}
    reader = Rules(funnels=(parse_funnel(text, "f"),)).reader
    (line,), _ = decode_lines(make_line(type="whatever", props={"worth": 3, "plan": "pro", "p": 1}))
    assert to_fact(line, line.session_id, reader).props == {"worth": 3.0, "plan": "pro"}


FOREIGN: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "our own names": [
        ("product_added", {}),
        ("checkout_started", {}),
        ("shipping", {}),
        ("payment", {}),
        ("order_completed", {"value": 9}),
    ],
    "GA4": [
        ("add_to_cart", {}),
        ("begin_checkout", {}),
        ("add_shipping_info", {}),
        ("add_payment_info", {}),
        ("purchase", {"value": 9}),
    ],
    "Segment, numbered steps": [
        ("product_added", {}),
        ("checkout_started", {"revenue": 3}),
        ("checkout_step_viewed", {"step": 2}),
        ("checkout_step_completed", {"step": 2, "shipping_method": "Fedex"}),
        ("checkout_step_completed", {"step": 3, "shipping_method": "Fedex", "payment_method": "Visa"}),
        ("order_completed", {"total": "9"}),
    ],
    "Segment, named steps": [
        ("product_added", {}),
        ("checkout_step_viewed", {"step": 1}),
        ("checkout_step_completed", {"step": "shipping"}),
        ("payment_info_entered", {}),
        ("order_completed", {"revenue": 9}),
    ],
}


@pytest.mark.parametrize("dialect", FOREIGN)
def test_the_checkout_counts_what_other_clients_send(dialect: str) -> None:
    checkout = next(f for f in load_funnels() if f.name == "checkout")
    reader = Rules(funnels=(checkout,)).reader
    lines = [
        json.loads(make_line(event_id=f"e{n}", type=type_, props=props, ts=f"2025-11-23T10:00:0{n}Z"))
        for n, (type_, props) in enumerate(FOREIGN[dialect])
    ]
    decoded, bad = decode_lines(b"\n".join(json.dumps(line).encode() for line in lines))
    facts = [to_fact(line, line.session_id, reader) for line in decoded]
    (attempt,) = find_attempts("ann", facts, Plan(checkout), AbandonRules())
    assert bad == 0
    assert ([r.step for r in attempt.reached], attempt.complete, attempt.value) == ([0, 1, 2, 3, 4], True, 9.0)
