"""Stack frames as Sentry and PostHog send them, made ours."""

from __future__ import annotations

from typing import Any, Final

from ingest.adapters.fields import part
from ingest.adapters.values import array, present

_FRAMES_MAX: Final = 20  # innermost; recursion gives hundreds, and no reader looks further


def innermost_frames(frames: object) -> list[dict[str, Any]]:
    """The innermost frames, innermost first: file, function, line, column and whether it is the site's own code.

    `frames` come outermost first.
    """
    kept = [part(frame) for frame in array(frames)[: -_FRAMES_MAX - 1 : -1]]
    return [
        present(
            {
                "file": frame.get("filename") or frame.get("abs_path") or frame.get("module"),
                "function": frame.get("function"),
                "line": frame.get("lineno"),
                "column": frame.get("colno"),
                "in_app": frame.get("in_app"),
            }
        )
        for frame in kept
    ]
