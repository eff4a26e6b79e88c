"""Fingerprints: which errors are the same one."""

from __future__ import annotations

from typing import Any

from schemas.errors import fingerprint


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
