"""What kind of error an event is, and which errors are the same one: classes and versioned fingerprints."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

FINGERPRINT_VERSION: Final = 1
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

    HTTP errors are the same when status and (id-free) path of the request are.
    """
    if type_ == "http_error":
        identity = f"{props.get('status', '')} {_VARIABLE.sub('#', str(props.get('request_path', '')))}"
    else:
        kind = str(props.get("error_type", "")) or type_
        identity = f"{kind}: {_VARIABLE.sub('#', message[:_MESSAGE_MAX_CHARS])}"
    text = f"{FINGERPRINT_VERSION}|{class_}|{identity}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
