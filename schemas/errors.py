"""What kind of error an event is, and which errors are the same one: classes and versioned fingerprints."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.stack import is_foreign, parse_stack

FINGERPRINT_VERSION: Final = 2
"""Part of every fingerprint, so that a better algorithm never mixes its groups with older ones."""

CLASSES: Final = (
    "js",
    "resource",
    "http_4xx",
    "http_5xx",
    "network",
    "csp",
    "validation",
    "payment",
    "crash",
    "login",
    "other",
)

_CLASS_OF_TYPE: Final[dict[str, str]] = {
    "js_error": "js",
    "resource_error": "resource",
    "network_error": "network",
    "csp_violation": "csp",
    "form_error": "validation",
    "payment_failed": "payment",
    "crash": "crash",
    "login_failed": "login",
}

# Values that differ between two occurrences of one error. Order matters: the wider pattern first.
_VARIABLE: Final = re.compile(
    r"https?://\S+"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|0x[0-9a-fA-F]+|\b[0-9a-fA-F]{16,}\b"
    r"|'[^']*'|\"[^\"]*\"|`[^`]*`"
    r"|\d+"
)
_MESSAGE_MAX_CHARS: Final = 512  # the rest of a message is data more often than identity
_TYPE_IN_TEXT: Final = re.compile(r"(?:Uncaught )?(?:\(in promise\) )?([A-Z]\w*(?:Error|Exception))\b")
_FRAMES_MAX: Final = 5  # innermost of the site's own; what called them differs by page, not by error
_NAME_MIN_CHARS: Final = 3  # of a function; shorter ones are a minifier's, another one in each release
_PLACE_NOISE: Final = re.compile(
    r"^\w+://[^/]+"  # which host serves a file
    r"|(?<=[.\-_])(?=[^.]*\d)[\w\-]{8,}(?=\.\w+$)"  # a build's hash in a file's name
)
_IDENTIFYING: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "http_error": (("status",), ("request_path",)),
    "network_error": (("error_type", "type"), ("request_path", "url")),
    "resource_error": (("src",),),
    "csp_violation": (("effective_directive", "error_type"), ("blocked_uri",)),
    "form_error": (("form",), ("field",)),
    "payment_failed": (("error_code", "error_type"),),
    "login_failed": (("reason",),),
}
"""What tells errors of a type apart better than their text, which is often in the visitor's language: of each group of
properties the first that is there."""
_REMEMBERED: Final = 4096  # errors repeat: few are most of them
_REMEMBERED_MAX_CHARS: Final = 1024
_DEFAULT_GROUP: Final = "{{ default }}"  # in a client's own grouping: what would be without it (Sentry's notation)


def error_class(type_: str, props: Mapping[str, Any]) -> str:
    """The class of an error event of `type_`: one of CLASSES.

    An HTTP error is a class by its `status`; a "card declined" is `payment`, never an outage
    (OpenTelemetry semantic conventions, http-spans: 4xx is the client's error).
    """
    if type_ == "http_error":
        try:
            status = int(props.get("status", 0))
        except (TypeError, ValueError, OverflowError):
            return "other"
        if 400 <= status < 500:
            return "http_4xx"
        return "http_5xx" if 500 <= status < 600 else "other"
    return _CLASS_OF_TYPE.get(type_, "other")


def fingerprint(class_: str, type_: str, message: str, props: Mapping[str, Any]) -> str:
    """Sixteen hex digits that name an error: the same for two occurrences that differ in numbers, ids, quotes or URLs.

    HTTP errors are the same when status and (id-free) path of the request are, refused fields when form and field are,
    and so on (_IDENTIFYING). With `frames` in `props` (each of file, function and in_app, innermost first), or with a
    browser's `stack` as text, others are the same when type and the site's own innermost frames are; the message counts
    too if no frame names a function, as in minified code. A client's own `fingerprint` in `props`, one text or several,
    comes before all of that. (Sentry's and PostHog's order: client, stack, type and message.)
    """
    identity = _identity(type_, props) if type_ in _IDENTIFYING else ""
    if not identity:
        kind = str(props.get("error_type", "")) or (_type_in(message) if message else "") or type_
        frames = _frames(props)
        places, is_named = _own_places(frames) if frames else ("", False)
        said = "" if is_named else _template(message[:_MESSAGE_MAX_CHARS])
        identity = f"{kind}: {places}{said}"
    if own := props.get("fingerprint"):
        parts = own if isinstance(own, list) else [own]
        identity = "|".join(identity if part == _DEFAULT_GROUP else str(part) for part in parts)
    text = f"{FINGERPRINT_VERSION}|{class_}|{identity}"
    return _digest(text) if len(text) <= _REMEMBERED_MAX_CHARS else _digest.__wrapped__(text)


@functools.lru_cache(maxsize=_REMEMBERED)
def _template(message: str) -> str:
    """`message` without what differs between two occurrences."""
    return _VARIABLE.sub("#", message)


@functools.lru_cache(maxsize=_REMEMBERED)
def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()


def _identity(type_: str, props: Mapping[str, Any]) -> str:
    found = []
    for names in _IDENTIFYING[type_]:
        name = next((name for name in names if props.get(name) not in (None, "")), names[0])
        value = str(props.get(name) or "")[:_MESSAGE_MAX_CHARS]
        if name == "blocked_uri":  # one cause is who was blocked, not the path of each of that host's scripts
            value = re.sub(r"^\w+://([^/?#]+).*", r"\1", value, flags=re.DOTALL)
        elif name in ("src", "url"):
            value = _file(value)
        found.append(_VARIABLE.sub("#", value))
    return " ".join(found).strip()


def _file(address: str) -> str:
    """A file's address without host, query, fragment and the build's hash."""
    return _PLACE_NOISE.sub("", re.split(r"[?#]", address, maxsplit=1)[0])


def _type_in(message: str) -> str:
    """The exception's type where only the browser's text tells it: `Uncaught TypeError: x is undefined`."""
    found = _TYPE_IN_TEXT.match(message)
    return found[1] if found else ""


def _frames(props: Mapping[str, Any]) -> list[Any]:
    """The frames that the client sent, else those in the text of its stack."""
    frames, stack = props.get("frames"), props.get("stack")
    if isinstance(frames, list) and frames:
        return frames
    if isinstance(stack, str):
        return [{"file": frame.file, "function": frame.function} for frame in parse_stack(stack)]
    return []


def _own_places(frames: list[Any]) -> tuple[str, bool]:
    """The site's own innermost frames as text, and whether one of them names its function.

    Whose a frame is says `in_app`; without it the file's name.
    """
    places = []
    is_named = False
    for frame in frames:
        if not isinstance(frame, dict):
            continue
        is_own = frame.get("in_app")
        if is_own is not True and (is_own is not None or is_foreign(str(frame.get("file", "")))):
            continue
        file = _file(str(frame.get("file", "")))
        function = str(frame.get("function", ""))
        is_named = is_named or (len(function) >= _NAME_MIN_CHARS and function[0] != "<")
        places.append(f"{file} {function};")
        if len(places) == _FRAMES_MAX:
            break
    return "".join(places), is_named
