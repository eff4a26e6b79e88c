"""Funnel attempts and the states they go through: open, stalled, abandoned, converted, recovered."""

from __future__ import annotations

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal
from processors.domain.funnels.attempt import AbandonRules, Attempt, Plan, find_attempts
from processors.domain.funnels.row import attempt_row
from processors.domain.funnels.standing import Standing, standing
from processors.domain.rules import Rules
from schemas.funnel import Funnel, Step, load_funnels, parse_funnel
from tests.unit.test_domain_fact import make_fact

RULES = AbandonRules()
FUNNEL = Funnel(
    name="checkout",
    window_h=24,
    stall_after_s=120,
    steps=tuple(
        Step(name=t, type=t) for t in ("product_added", "checkout_started", "shipping", "payment", "order_completed")
    ),
)
PLAN = Plan(FUNNEL)
PATIENCE_MS = 120_000
STEPS = [step.type for step in FUNNEL.steps]
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000


def attempts(*facts: Fact, plan: Plan = PLAN) -> list[Attempt]:
    return find_attempts("ann", sorted(facts, key=lambda fact: fact.order), plan, RULES)


def only(*facts: Fact) -> Attempt:
    (attempt,) = attempts(*facts)
    return attempt


def stands(attempt: Attempt, frontier: int) -> Standing:
    return standing(attempt, frontier, PATIENCE_MS, RULES)


def state(attempt: Attempt, frontier: int) -> str:
    return stands(attempt, frontier).state


def walk(*types: str, start: int = 0, pause: int = MINUTE) -> list[Fact]:
    return [make_fact(start + n * pause, type_) for n, type_ in enumerate(types)]


def test_without_the_first_step_there_is_no_attempt() -> None:
    assert attempts(*walk("page_view", "checkout_started", "payment", "order_completed")) == []


def test_all_steps_convert() -> None:
    attempt = only(*walk(*STEPS))
    assert (len(attempt.reached), attempt.complete, state(attempt, 10**9)) == (5, True, "converted")


def test_a_step_out_of_order_does_not_count() -> None:
    assert len(only(*walk("product_added", "payment", "checkout_started")).reached) == 2


def test_a_repeated_step_is_the_same_attempt() -> None:
    attempt = only(*walk("product_added", "checkout_started", "product_added", "checkout_started", "shipping"))
    assert [reached.fact.ts for reached in attempt.reached] == [0, MINUTE, 4 * MINUTE]


def test_facts_of_one_millisecond_count_in_the_order_of_the_steps() -> None:
    facts = [make_fact(5, type_, event_id=f"{9 - n}") for n, type_ in enumerate(STEPS)]
    assert only(*facts).complete


def test_an_attempt_stalls_after_the_steps_time_by_receipt() -> None:
    attempt = only(make_fact(0, "product_added", received=10_000))
    assert state(attempt, 129_999) == "open"
    assert state(attempt, 130_000) == "stalled"
    assert stands(attempt, 0).next_change == 130_000
    assert stands(attempt, 130_000).next_change == 1_810_000


def test_other_facts_do_not_unstall_but_put_off_abandonment() -> None:
    attempt = only(make_fact(0, "product_added"), make_fact(10 * MINUTE, "page_view"))
    assert state(attempt, 40 * MINUTE - 1) == "stalled"
    assert state(attempt, 40 * MINUTE) == "abandoned"


def test_thirty_silent_minutes_abandon() -> None:
    attempt = only(*walk("product_added", "checkout_started"))
    assert state(attempt, 31 * MINUTE - 1) == "stalled"
    assert state(attempt, 31 * MINUTE) == "abandoned"
    assert stands(attempt, 31 * MINUTE).next_change is None


def test_exactly_thirty_minutes_between_two_facts_are_no_pause() -> None:
    same = only(make_fact(1, "product_added"), make_fact(30 * MINUTE + 1, "product_added"))
    assert same.left_at is None
    assert len(attempts(make_fact(1, "product_added"), make_fact(30 * MINUTE + 2, "product_added"))) == 2


def test_a_pause_after_a_fact_of_1970_is_a_pause() -> None:
    assert len(attempts(make_fact(0, "product_added"), make_fact(HOUR, "product_added"))) == 2


def test_an_abandoned_attempt_stays_so_when_the_visitor_only_looks_around() -> None:
    attempt = only(make_fact(1, "product_added"), make_fact(HOUR, "page_view"))
    assert state(attempt, HOUR) == "abandoned"
    assert (attempt.left_at, attempt.last_seen) == (30 * MINUTE + 1, 1)


def test_an_order_after_abandonment_recovers() -> None:
    attempt = only(*walk(*STEPS[:4]), make_fact(2 * HOUR, "order_completed"))
    assert (attempt.complete, attempt.paused, state(attempt, 3 * HOUR)) == (True, True, "recovered")


def test_a_step_after_abandonment_opens_the_attempt_again() -> None:
    attempt = only(make_fact(1, "product_added"), make_fact(2 * HOUR, "checkout_started"))
    assert state(attempt, 2 * HOUR) == "open"
    assert state(attempt, 2 * HOUR + 30 * MINUTE) == "abandoned"


def test_a_first_step_after_abandonment_is_a_new_attempt() -> None:
    first, second = attempts(*walk("product_added", "checkout_started"), *walk(*STEPS, start=2 * HOUR))
    assert (state(first, 3 * HOUR), state(second, 3 * HOUR)) == ("abandoned", "converted")
    assert first.attempt_id != second.attempt_id


def test_after_an_order_the_next_first_step_is_a_new_attempt() -> None:
    assert [a.complete for a in attempts(*walk(*STEPS, *STEPS, pause=SECOND))] == [True, True]


def test_a_second_order_right_after_the_first_is_no_attempt() -> None:
    assert len(attempts(*walk(*STEPS, "order_completed", "payment"))) == 1


def test_the_window_is_inclusive() -> None:
    activity = [make_fact(n * 20 * MINUTE, "page_view", event_id=f"v{n}") for n in range(1, 73)]
    inside = only(make_fact(0, "product_added"), *activity, make_fact(24 * HOUR, "checkout_started"))
    assert len(inside.reached) == 2
    outside = only(make_fact(0, "product_added"), *activity, make_fact(24 * HOUR + 1, "checkout_started"))
    assert len(outside.reached) == 1


def test_a_first_step_beyond_the_window_is_a_new_attempt_without_any_pause() -> None:
    activity = [make_fact(n * 20 * MINUTE, "page_view", event_id=f"v{n}") for n in range(1, 73)]
    found = attempts(make_fact(0, "product_added"), *activity, make_fact(24 * HOUR + 1, "product_added"))
    assert [a.started for a in found] == [0, 24 * HOUR + 1]


def test_the_value_is_the_last_one_seen_on_a_step() -> None:
    facts = [
        make_fact(0, "product_added", props={"value": 10.0}),
        make_fact(1, "checkout_started", props={"value": 30.0}),
        make_fact(2, "product_added", props={"value": 40.0}),
        make_fact(3, "shipping", props={"tax": 1.0}),
        make_fact(4, "coupon_applied", props={"value": 99.0}),
        make_fact(5, "payment"),
    ]
    assert only(*facts).value == 40.0


def test_an_attempt_is_named_by_funnel_visitor_and_start() -> None:
    one = only(make_fact(0, "product_added"))
    assert one.attempt_id == only(*walk(*STEPS)).attempt_id
    (other,) = find_attempts("bob", [make_fact(0, "product_added")], PLAN, RULES)
    assert one.attempt_id != other.attempt_id


def plan_of(text: str) -> Plan:
    """A funnel `f` of steps a, b, c and whatever `text` adds before them."""
    steps = "".join(f'[[steps]]\nname = "{name}"\ntype = "{name}"\n' for name in "abc")
    return Plan(parse_funnel(f'name = "f"\n{text}\n{steps}', "f"))


def steps(attempt: Attempt) -> str:
    return "".join(attempt.funnel.steps[reached.step].name for reached in attempt.reached)


def test_an_optional_step_may_be_left_out() -> None:
    plan = Plan(next(f for f in load_funnels() if f.name == "checkout"))
    (bought,) = attempts(*walk("checkout_started", "order_completed"), plan=plan)
    assert ([r.step for r in bought.reached], bought.complete) == ([1, 4], True)
    assert attempts(*walk("shipping", "payment", "order_completed"), plan=plan) == []  # no checkout, no attempt
    (skipped,) = attempts(*walk("product_added", "order_completed"), plan=plan)
    assert [r.step for r in skipped.reached] == [0]


def test_strict_order_allows_other_events_but_no_step_out_of_turn() -> None:
    strict = plan_of('order = "strict"')
    (whole,) = attempts(*walk("a", "x", "b", "b", "c"), plan=strict)
    assert (steps(whole), whole.complete) == ("abc", True)
    (broken,) = attempts(*walk("a", "c", "b", "c"), plan=strict)
    assert (steps(broken), broken.broken, state(broken, 0)) == ("a", True, "abandoned")
    first, second = attempts(*walk("a", "b", "a", "b", "c"), plan=strict)
    assert (steps(first), first.broken, steps(second)) == ("ab", True, "abc")
    (back,) = attempts(make_fact(1, "a"), *walk("c", "b", "c", start=HOUR), plan=strict)
    assert (steps(back), state(back, HOUR)) == ("abc", "recovered"), "who had left may look around before going on"


def test_any_order_is_complete_when_every_step_was_reached() -> None:
    anyhow = plan_of('order = "any"')
    (whole,) = attempts(*walk("c", "a", "a", "b"), plan=anyhow)
    assert (steps(whole), whole.complete, whole.step) == ("cab", True, 1)
    (half,) = attempts(*walk("b", "a"), plan=anyhow)
    assert (half.complete, half.step) == (False, 0)
    left, again = attempts(make_fact(1, "b"), make_fact(HOUR, "b"), plan=anyhow)
    assert (state(left, HOUR), state(again, HOUR)) == ("abandoned", "open")


def test_one_fact_reaches_one_step() -> None:
    twice = "".join(f'[[steps]]\nname = "{n}"\ntype = "a"\n' for n in (1, 2))
    plan = Plan(parse_funnel('name = "f"\n' + twice, "f"))
    assert [len(a.reached) for a in attempts(*walk("a", "a", "a"), plan=plan)] == [2, 1]


def test_an_exclusion_takes_the_attempt_out() -> None:
    guarded = Plan(
        parse_funnel(
            'name = "f"\n[[steps]]\nname = "a"\ntype = "a"\n[[steps]]\nname = "b"\ntype = "b"\n'
            '[[steps]]\nname = "c"\ntype = "c"\n'
            '[[exclude]]\nname = "staff"\nany_of = [{ type = "login" }]\nafter = "b"\n',
            "f",
        )
    )
    (early,) = attempts(*walk("login", "a", "login", "b", "c"), plan=guarded)
    assert early.complete  # before step b it does not count
    (out,) = attempts(*walk("a", "b", "login", "c"), plan=guarded)
    assert (out.excluded_by, steps(out), state(out, 10 * HOUR)) == ("staff", "ab", "excluded")
    out, again = attempts(*walk("a", "b", "login", "a", "b", "c"), plan=guarded)
    assert (state(out, 0), state(again, 0)) == ("excluded", "converted")
    (left,) = attempts(make_fact(1, "a"), make_fact(2, "b"), make_fact(HOUR, "login"), plan=guarded)
    assert state(left, HOUR) == "abandoned"  # it had left before


def test_an_exclusion_ends_where_it_says() -> None:
    guarded = plan_of('[[exclude]]\nname = "staff"\nany_of = [{ type = "login" }]\nbefore = "b"')
    (out,) = attempts(*walk("a", "login", "b", "c"), plan=guarded)
    assert (out.excluded_by, steps(out)) == ("staff", "a")
    twofold = plan_of(
        '[[exclude]]\nname = "fraud"\nany_of = [{ type = "b", where = [{ property = "risk" , op = "exists" }] }]'
    )
    (out,) = attempts(make_fact(0, "a"), make_fact(1, "b", props={"risk": 1.0, "value": 5.0}), plan=twofold)
    assert (out.excluded_by, steps(out), out.value) == ("fraud", "a", None), "what excludes is no step"
    (late,) = attempts(*walk("a", "b", "login", "c"), plan=guarded)
    assert (late.excluded_by, state(late, 0)) == ("", "converted")


def test_an_explicit_leave_abandons_at_once_and_is_revisable() -> None:
    leaving = plan_of('leave = [{ type = "cancel" }]')
    (left,) = attempts(*walk("a", "b", "cancel", "x"), plan=leaving)
    assert (state(left, 0), left.left_at, left.last_seen) == ("abandoned", 2 * MINUTE, 2 * MINUTE)
    (back,) = attempts(*walk("a", "b", "cancel", "c"), plan=leaving)
    assert state(back, 0) == "recovered"
    first, second = attempts(*walk("a", "cancel", "a", "b", "c"), plan=leaving)
    assert (state(first, 0), state(second, 0)) == ("abandoned", "converted")


def test_the_end_of_the_window_is_a_leave() -> None:
    short = plan_of("window_h = 0.5")
    (late,) = attempts(*walk("a", "x", "x", "b", pause=11 * MINUTE), plan=short)
    assert (steps(late), late.left_at, state(late, 0)) == ("a", 30 * MINUTE, "abandoned")


def test_money_currency_and_breakdown_are_read_from_the_steps() -> None:
    plan = plan_of('value = ["total", "worth"]\nbreakdown = ["plan"]')
    facts = [
        make_fact(0, "a", props={"worth": 5.0, "currency": "EUR", "plan": ""}),
        make_fact(1, "x", props={"total": 99.0, "plan": "none"}),
        make_fact(2, "b", props={"total": 7.0, "worth": 8.0, "plan": "pro"}),
        make_fact(3, "b", props={"plan": "free", "currency": "USD"}),
    ]
    (attempt,) = attempts(*facts, plan=plan)
    assert (attempt.value, attempt.currency, attempt.breakdown) == (7.0, "USD", {"plan": "pro"})


def test_an_attempt_ripens_by_receipt() -> None:
    attempt = only(make_fact(0, "product_added", received=5_000))
    assert not stands(attempt, 30 * MINUTE + 4_999).ripe
    assert stands(attempt, 30 * MINUTE + 5_000).ripe
    stages = [stands(attempt, at).stage for at in (5_000, 125_000, 30 * MINUTE + 4_999, 30 * MINUTE + 5_000)]
    assert stages == sorted(stages)


def test_patience_decides_when_an_attempt_stalls() -> None:
    attempt = only(make_fact(0, "product_added"))
    assert standing(attempt, 20_000, 20_000, RULES).state == "stalled"
    assert standing(attempt, 19_999, 20_000, RULES).state == "open"


def test_a_row_names_the_first_ten_errors_each_by_the_beginning_of_its_first_text() -> None:
    errors = [
        make_fact(10 + n, "js_error", error_class="js", fingerprint=f"f{n % 11}", message=f"{n:02d}" + "x" * 300)
        for n in range(22)
    ]
    facts = [make_fact(0, "product_added"), *errors]
    attempt = only(*facts)
    row = attempt_row(attempt, stands(attempt, 60), PATIENCE_MS, facts, [])
    assert row.errors == {"js": 22}
    assert row.error_counts == {f"f{n}": 2 for n in range(10)}
    assert row.error_messages["f3"] == "js: 03" + "x" * 198


def test_a_row_tells_what_went_wrong_on_which_step() -> None:
    facts = [
        make_fact(0, "product_added"),
        make_fact(10, "js_error", error_class="js", fingerprint="f1", message="boom"),
        make_fact(20, "checkout_started"),
        make_fact(30, "http_error", error_class="http_5xx", fingerprint="f2", message="500"),
        make_fact(40, "js_error", error_class="js", fingerprint="f1", message="boom"),
        make_fact(50, "http_error", error_class="http_5xx", fingerprint="f2", message="501"),
    ]
    rage = Signal("rage_click", facts[2], facts[3], {})
    attempt = only(*facts)
    row = attempt_row(attempt, stands(attempt, 60), PATIENCE_MS, facts, [rage])
    assert row.step_errors == [{"js": 1}, {"http_5xx": 2, "js": 1}, {}, {}, {}]
    assert row.step_friction == [{}, {"rage_click": 1}, {}, {}, {}]
    assert (row.errors, row.friction) == (row.step_errors[1], row.step_friction[1])
    assert row.error_counts == {"f2": 2, "f1": 1}
    assert row.error_messages == {"f2": "http_5xx: 500", "f1": "js: boom"}
    assert row.first_cause == "error:http_5xx"
    assert (row.step_name, row.seconds_on_step, row.stalled_after_s) == ("checkout_started", 0.03, 0.0)


def test_a_fact_may_bear_on_others_for_the_longest_window_of_the_funnels_it_may_start() -> None:
    def funnel(name: str, hours: int, first: str) -> Funnel:
        text = f'name = "{name}"\nwindow_h = {hours}\n[[steps]]\nname = "1"\ntype = "{first}"\n'
        return parse_funnel(text + '[[steps]]\nname = "2"\ntype = "z"\n', name)

    rules = Rules(funnels=(funnel("short", 1, "a"), funnel("long", 3, "a"), funnel("other", 9, "b")))
    assert [rules.window_after(make_fact(0, type_)) for type_ in "abz"] == [3 * HOUR, 9 * HOUR, 0]
