"""What kind of error an event is, and which errors are the same one: classes and versioned fingerprints."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

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
_FRAMES_MAX: Final = 5  # innermost of the site's own; what called them differs by page, not by error
_NAME_MIN_CHARS: Final = 3  # of a function; shorter ones are a minifier's, another one in each release
_PLACE_NOISE: Final = re.compile(
    r"^\w+://[^/]+"  # which host serves a file
    r"|(?<=[.\-_])(?=[^.]*\d)[\w\-]{8,}(?=\.\w+$)"  # a build's hash in a file's name
)
_DEFAULT_GROUP: Final = "{{ default }}"  # in a client's own grouping: what would be without it (Sentry's notation)


def error_class(type_: str, props: Mapping[str, Any]) -> str:
    """The class of an error event of `type_`: one of CLASSES.

    An HTTP error is a class by its `status`; a "card declined" is `payment`, never an outage
    (OpenTelemetry semantic conventions, http-spans: 4xx is the client's error).
    """
    if type_ == "http_error":
        try:
            status = int(props.get("status", 0))
        except (TypeError, ValueError):
            return "other"
        if 400 <= status < 500:
            return "http_4xx"
        return "http_5xx" if 500 <= status < 600 else "other"
    return _CLASS_OF_TYPE.get(type_, "other")


def fingerprint(class_: str, type_: str, message: str, props: Mapping[str, Any]) -> str:
    """Sixteen hex digits that name an error: the same for two occurrences that differ in numbers, ids, quotes or URLs.

    HTTP errors are the same when status and (id-free) path of the request are. With `frames` in `props` (each of file,
    function and in_app, innermost first), others are the same when type and the site's own innermost frames are; the
    message counts too if no frame names a function, as in minified code. A client's own `fingerprint` in `props`, one
    text or several, comes before all of that. (Sentry's and PostHog's order: client, stack, type and message.)
    """
    if type_ == "http_error":
        identity = f"{props.get('status', '')} {_VARIABLE.sub('#', str(props.get('request_path', '')))}"
    else:
        kind = str(props.get("error_type", "")) or type_
        frames = props.get("frames")
        places, is_named = _own_places(frames) if isinstance(frames, list) else ("", False)
        said = "" if is_named else _VARIABLE.sub("#", message[:_MESSAGE_MAX_CHARS])
        identity = f"{kind}: {places}{said}"
    if own := props.get("fingerprint"):
        parts = own if isinstance(own, list) else [own]
        identity = "|".join(identity if part == _DEFAULT_GROUP else str(part) for part in parts)
    text = f"{FINGERPRINT_VERSION}|{class_}|{identity}"
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()


def _own_places(frames: list[Any]) -> tuple[str, bool]:
    """The site's own innermost frames as text, and whether one of them names its function."""
    places = []
    is_named = False
    for frame in frames:
        if not isinstance(frame, dict) or frame.get("in_app") is not True:
            continue
        file = _PLACE_NOISE.sub("", re.split(r"[?#]", str(frame.get("file", "")), maxsplit=1)[0])
        function = str(frame.get("function", ""))
        is_named = is_named or (len(function) >= _NAME_MIN_CHARS and function[0] != "<")
        places.append(f"{file} {function};")
        if len(places) == _FRAMES_MAX:
            break
    return "".join(places), is_named
