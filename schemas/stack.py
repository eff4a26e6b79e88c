"""Stack traces as browsers write them, read as frames: Chrome (V8), Firefox (SpiderMonkey), Safari (JavaScriptCore)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

_MAX_LINES: Final = 200  # a stack is cut at 10 to 50 frames by the browsers; what is longer is recursion or no stack
_MAX_LINE_CHARS: Final = 2048

_PLACE: Final = re.compile(r"(?P<file>\S.*?):(?P<line>\d+)(?::\d+)?$")
_EVAL_PLACE: Final = re.compile(r"\((?P<file>[^()\s]+?):(?P<line>\d+)(?::\d+)?\)")
_FIREFOX_EVAL: Final = re.compile(r" line \d+ > (?:eval|Function).*$")
_DECORATION: Final = re.compile(r"^(?:async(?:\*|\s+)|new |Object\.|get |set )+| \[as [^\]]*\]")
_NO_NAMES: Final = frozenset({"<anonymous>", "anonymous", "eval", "global code", "module code", "eval code", "?"})
_FOREIGN: Final = re.compile(
    r"^(?:chrome|moz|safari|safari-web|ms-browser|webkit-masked-url)-?(?:extension)?://"
    r"|/node_modules/|(?<!/)/vendors?[./~-]|/webpack/bootstrap|\bpolyfills?[.-]"
)


class Frame(msgspec.Struct, frozen=True):
    """One call: the file as the browser names it, the function without decoration (empty: none), the line from 1."""

    file: str
    function: str
    line: int


def parse_stack(text: str) -> list[Frame]:
    """The frames in a stack's text, innermost first; lines that are none (the message, native code) are left out."""
    return list(_frames(text))


def is_foreign(file: str) -> bool:
    """Whether a file is a browser extension's or a library's by its name, so that it does not tell errors apart."""
    return _FOREIGN.search(file) is not None


def _frames(text: str) -> Iterator[Frame]:
    for raw in text.splitlines()[:_MAX_LINES]:
        line = raw.strip()[:_MAX_LINE_CHARS]
        if line.startswith("at "):
            function, bracket, place = line[3:].partition(" (")
            if not bracket:
                function, place = "", function.removeprefix("async ")
            place = place.removesuffix(")") if bracket else place
        elif "@" in line:
            function, _, place = line.partition("@")
        elif "/" in line and " " not in line:
            function, place = "", line
        else:
            continue
        if found := _place(place):
            yield Frame(found["file"], _name(function), int(found["line"][:9]))


def _place(place: str) -> re.Match[str] | None:
    if place.startswith("eval at "):
        return _EVAL_PLACE.search(place)
    return _PLACE.match(_FIREFOX_EVAL.sub(":0", place) if " > " in place else place)


def _name(function: str) -> str:
    """The function's own name: what stands around it differs by browser and by the way of the call."""
    name = _DECORATION.sub("", function.strip())
    if name in _NO_NAMES or name.endswith("<"):  # Firefox: `outer/<` is a nameless function inside `outer`
        return ""
    last = name.rpartition(".")[2].rpartition("/")[2]
    return "" if last in _NO_NAMES else last
