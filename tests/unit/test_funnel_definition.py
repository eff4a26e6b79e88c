"""Funnel files: what they may say, and how a mistake in one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.funnel import FunnelError, load_funnels, parse_funnel

ROOT = Path(__file__).parent.parent.parent
HEAD = 'name = "f"\n'
TWO = '[[steps]]\nname = "a"\ntype = "a"\n[[steps]]\nname = "b"\ntype = "b"\n'


def test_two_funnels_come_with_snag() -> None:
    assert {f.name: [step.name for step in f.steps] for f in load_funnels()} == {
        "checkout": ["product_added", "checkout_started", "shipping", "payment", "order_completed"],
        "signup": ["page_viewed", "form_started", "signed_up"],
    }


def test_the_documented_example_loads_beside_them() -> None:
    funnels = load_funnels(ROOT / "docs" / "funnels")
    assert [f.name for f in funnels] == ["checkout", "signup", "lead_form"]
    lead = funnels[-1]
    assert [len(step.matches) for step in lead.steps] == [1, 1, 1, 2]
    assert (lead.exclude[0].after, lead.exclude[0].before) == ("form_seen", "form_sent")


def test_a_funnel_of_ones_own_replaces_a_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "checkout.toml").write_text('name = "checkout"\nversion = 9\n' + TWO)
    assert [(f.name, f.version) for f in load_funnels(tmp_path)] == [("checkout", 9), ("signup", 1)]


def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    for name in ("x.toml", "y.toml"):
        (tmp_path / name).write_text(HEAD + TWO)
    with pytest.raises(FunnelError, match="'f' is defined twice"):
        load_funnels(tmp_path)


def test_a_value_may_have_several_names() -> None:
    assert parse_funnel(HEAD + TWO, "f").values == ("value",)
    assert parse_funnel(HEAD + 'value = ["total", "value"]\n' + TWO, "f").values == ("total", "value")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "Invalid value"),
        (TWO, "missing required field `name`"),
        (HEAD + '[[steps]]\nname = "a"\ntype = "a"\n', "length >= 2"),
        (HEAD + TWO * 7, "length <= 12"),
        (HEAD + TWO + TWO, "two steps have the same name"),
        (HEAD + TWO + '[[steps]]\nname = "c"\n', "step 'c' needs either"),
        (HEAD + TWO + '[[steps]]\nname = "c"\ntype = "c"\nany_of = [{ type = "d" }]\n', "step 'c' needs either"),
        (HEAD + TWO + '[[steps]]\nname = "c"\nany_of = [{}]\n', "a match needs"),
        (HEAD + TWO + '[[steps]]\nname = "c"\noptional = true\ntype = "c"\n', "cannot be optional"),
        (HEAD + 'order = "any"\n' + TWO.replace("type", "optional = true\ntype"), "at least one step"),
        (HEAD + 'order = "whatever"\n' + TWO, "Invalid enum value"),
        (HEAD + "window_h = 0\n" + TWO, "window_h"),
        (HEAD + 'breakdown = ["device"]\n' + TWO, "'device' is there without being asked for"),
        (HEAD + 'colour = "red"\n' + TWO, "colour"),
        (HEAD + TWO + '[[exclude]]\nname = "x"\nafter = "z"\nany_of = [{ type = "x" }]\n', "names step 'z'"),
    ],
)
def test_a_mistake_is_told_with_the_file_and_the_cause(text: str, message: str) -> None:
    with pytest.raises(FunnelError, match=message) as refused:
        parse_funnel(text, "mine.toml")
    assert "mine.toml" in str(refused.value) and "checkout.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ('{ property = "p" }', "'eq' takes one value"),
        ('{ property = "p", op = "in", value = 1 }', "'in' takes a list"),
        ('{ property = "p", op = "eq", value = [1] }', "'eq' takes one value"),
        ('{ property = "p", op = "exists", value = 1 }', "'exists' takes no value"),
        ('{ property = "p", op = "gt", value = "many" }', "'gt' takes a number"),
        ('{ property = "p", op = "lt", value = true }', "'lt' takes a number"),
        ('{ property = "p", op = "glob", value = 1 }', "'glob' takes a text"),
        ('{ property = "p", op = "like", value = "x" }', "Invalid enum value"),
    ],
)
def test_a_condition_must_make_sense(condition: str, message: str) -> None:
    with pytest.raises(FunnelError, match=message):
        parse_funnel(HEAD + TWO + f'[[steps]]\nname = "c"\ntype = "c"\nwhere = [{condition}]\n', "f")
