"""Fingerprints: which errors are the same one."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import errors
from schemas.errors import error_class, fingerprint
from schemas.stack import Frame, is_foreign, parse_stack


def of(message: str = "x is undefined", **props: Any) -> str:
    return fingerprint("js", "js_error", message, {"error_type": "TypeError", **props})


def frame(file: str, function: str, *, in_app: bool = True, line: int = 1) -> dict[str, Any]:
    return {"file": file, "function": function, "line": line, "in_app": in_app}


def test_a_message_is_the_same_whatever_numbers_and_quotes_it_holds() -> None:
    assert of("order 17 of 'ann' failed") == of("order 4 of 'bob' failed") != of("order failed")


def test_named_frames_say_more_than_the_message() -> None:
    stack = [frame("https://a.example/app.js", "submitOrder")]
    assert of("a", frames=stack) == of("b", frames=stack) != of("a")
    assert of(frames=stack) != of(frames=[frame("https://a.example/app.js", "loadCart")])


def test_only_the_sites_own_frames_count() -> None:
    own, foreign = frame("app.js", "submitOrder"), frame("react.js", "commitRoot", in_app=False)
    assert of(frames=[foreign, own]) == of(frames=[own])
    assert of(frames=[foreign]) == of()


def test_host_query_line_and_build_hash_of_a_file_do_not_count() -> None:
    files = (
        "https://a.example/app.3f9c2d1e.js?v=1",
        "https://cdn.example/app.77aa01bc.js",
        "https://a.example/app.0123abcd.js",
    )
    assert len({of(frames=[frame(file, "submitOrder", line=line)]) for line, file in enumerate(files)}) == 1
    assert of(frames=[frame("/js/checkout-component.js", "submitOrder")]) != of(
        frames=[frame("/js/checkout-overview.js", "submitOrder")]
    )


def test_where_no_frame_names_a_function_the_message_counts_too() -> None:
    minified = [frame("app.js", "?"), frame("app.js", "t"), frame("app.js", "<anonymous>")]
    assert of("a", frames=minified) != of("b", frames=minified)


def test_a_clients_own_fingerprint_comes_first() -> None:
    assert of("a", fingerprint=["checkout"]) == of("b", fingerprint="checkout") != of("a")
    assert of("a", fingerprint=["{{ default }}", "checkout"]) != of("b", fingerprint=["{{ default }}", "checkout"])
    assert of("a", fingerprint=["{{ default }}"]) == of("a")


def test_frames_of_any_shape_make_a_fingerprint() -> None:
    for frames in (None, 1, [], [None], [{"in_app": True}], [{"in_app": True, "file": 1, "function": None}], ["x"]):
        assert len(of(frames=frames)) == 16


def other(type_: str, message: str = "", **props: Any) -> str:
    return fingerprint(error_class(type_, props), type_, message, props)


CHROME = """TypeError: Cannot read properties of undefined (reading 'x')
    at Cart.submitOrder (https://a.example/js/app.3f9c2d1e.js?v=1:10:15)
    at async HTMLButtonElement.<anonymous> (https://a.example/js/app.3f9c2d1e.js?v=1:20:5)
    at new Basket (https://a.example/js/app.js:30:5)
    at Object.bar [as onClick] (https://a.example/js/app.js:31:5)
    at eval (eval at foo (https://a.example/js/app.js:32:1), <anonymous>:1:1)
    at Array.map (<anonymous>)
    at https://a.example/@shop/app.js:40:5"""
FIREFOX = """submitOrder@https://a.example/js/app.77aa01bc.js:11:15
onClick/<@https://a.example/js/app.77aa01bc.js:21:5
Basket@https://a.example/js/app.js:30:5
bar@https://a.example/js/app.js:31:5
@https://a.example/js/app.js line 3 > eval:1:1
async*@https://a.example/@shop/app.js:40:5"""
SAFARI = """submitOrder@https://a.example/js/app.0123abcd.js:12:15
[native code]
https://a.example/js/app.0123abcd.js:22:3
Basket@https://a.example/js/app.js:30:5
bar@https://a.example/js/app.js:31:5
global code@https://a.example/js/app.js:40:5
map@[native code]"""


def test_the_three_kinds_of_stacks_are_read() -> None:
    app, own = "https://a.example/js/app.js", "https://a.example/@shop/app.js"
    assert parse_stack(CHROME)[2:] == [
        Frame(app, "Basket", 30),
        Frame(app, "bar", 31),
        Frame(app, "", 32),
        Frame(own, "", 40),
    ]
    assert parse_stack(FIREFOX)[:2] == [
        Frame("https://a.example/js/app.77aa01bc.js", "submitOrder", 11),
        Frame("https://a.example/js/app.77aa01bc.js", "", 21),
    ]
    assert parse_stack(FIREFOX)[4:] == [Frame(app, "", 0), Frame(own, "", 40)]
    assert [(frame.function, frame.line) for frame in parse_stack(SAFARI)] == [
        ("submitOrder", 12),
        ("", 22),
        ("Basket", 30),
        ("bar", 31),
        ("", 40),
    ]


def test_one_error_is_the_same_in_chrome_firefox_and_safari() -> None:
    assert of("x of undefined", stack=CHROME) == of("x is undefined", stack=FIREFOX) == of("no x", stack=SAFARI)
    assert of(stack=CHROME) != of(stack=CHROME.replace("submitOrder", "loadCart"))


def test_frames_say_more_than_the_stacks_text() -> None:
    stack = [frame("app.js", "submitOrder")]
    assert of(frames=stack, stack=SAFARI) == of(frames=stack)
    assert of(frames=[], stack=SAFARI) == of(stack=SAFARI)


def test_frames_of_extensions_and_libraries_do_not_count() -> None:
    noise = "inject@chrome-extension://abc/x.js:1:1\nrender@https://a.example/node_modules/react/index.js:5:1\n"
    assert of(stack=noise + SAFARI) == of(stack=SAFARI)
    assert is_foreign("moz-extension://1/x.js") and is_foreign("https://a.example/vendor.js")
    assert not is_foreign("https://vendor.example/app.js") and not is_foreign("")


@pytest.mark.parametrize(
    "text", ["", "\n\n", "at ", "@", "at (", "at x (", ":1:1", "a" * 100_000, "@" * 5000, "at x (:::1)" * 99]
)
def test_any_text_is_a_stack(text: str) -> None:
    assert isinstance(parse_stack(text), list)
    assert len(of(stack=text)) == 16


def test_the_type_is_read_from_the_message_where_no_property_tells_it() -> None:
    said = fingerprint("js", "js_error", "Uncaught TypeError: x is undefined", {"stack": SAFARI})
    assert said == of("other words", stack=SAFARI)


def test_what_tells_errors_of_a_type_apart_is_not_their_text() -> None:
    assert other("form_error", "Bitte ausfüllen", form="a", field="zip") == other(
        "form_error", "Required", form="a", field="zip"
    )
    assert other("form_error", form="a", field="zip") != other("form_error", form="a", field="city")
    assert other("payment_failed", "No", error_code="expired_card") != other(
        "payment_failed", "No", error_code="stolen"
    )
    assert other("http_error", status=500, request_path="/api/1") == other(
        "http_error", status=500, request_path="/api/2"
    )
    assert other("http_error", status=500, request_path="/a") != other("http_error", status=404, request_path="/a")
    assert other("network_error", type="dns", url="https://a.example/x?1") == other(
        "network_error", type="dns", url="/x"
    )
    assert other("resource_error", src="https://c.example/a.1234abcd.css") == other(
        "resource_error", src="/a.99ff0011.css"
    )
    assert other("login_failed", "a", reason="locked") == other("login_failed", "b", reason="locked")
    assert other("login_failed", "a") != other("login_failed", "b"), "without a reason the text tells them apart"


def test_fingerprints_of_two_versions_never_meet_and_a_change_of_them_is_a_new_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    framed = of(frames=[frame("https://a.example/app.9f8e7d6c.js?1", "submitOrder")])
    found = (of("order 17 of 'ann' failed"), framed, other("form_error", form="a", field="zip"))
    assert (errors.FINGERPRINT_VERSION, *found) == (2, "b8dee850162e2ef5", "39cdcb565bff69f1", "e0b866a7c3cecffc")
    monkeypatch.setattr(errors, "FINGERPRINT_VERSION", 3)
    assert of("order 17 of 'ann' failed") != found[0]


@pytest.mark.parametrize(
    ("type_", "props", "expected"),
    [
        ("js_error", {}, "js"),
        ("resource_error", {}, "resource"),
        ("http_error", {"status": "404"}, "http_4xx"),
        ("http_error", {"status": 503}, "http_5xx"),
        ("http_error", {"status": 399}, "other"),
        ("http_error", {"status": 400}, "http_4xx"),
        ("http_error", {"status": 499}, "http_4xx"),
        ("http_error", {"status": 500}, "http_5xx"),
        ("http_error", {"status": 599}, "http_5xx"),
        ("http_error", {"status": 600}, "other"),
        ("http_error", {"status": 200}, "other"),
        ("http_error", {"status": float("inf")}, "other"),
        ("http_error", {"status": [500]}, "other"),
        ("network_error", {}, "network"),
        ("csp_violation", {}, "csp"),
        ("form_error", {}, "validation"),
        ("payment_failed", {}, "payment"),
        ("crash", {}, "crash"),
        ("login_failed", {}, "login"),
        ("anything", {}, "other"),
    ],
)
def test_the_class_of_an_error(type_: str, props: dict[str, Any], expected: str) -> None:
    assert error_class(type_, props) == expected
