"""The answer to a pixel: always an image, so that no page shows a broken one."""

from __future__ import annotations

import base64
from typing import Final

from ingest.adapters.adapter import Answer, Request
from ingest.decode import Submission
from ingest.refusal import RequestError
from schemas.openapi import Verdicts

GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent point."""

_TYPE: Final = b"image/gif"
_NOT_STORED: Final = ((b"cache-control", b"no-store, no-cache, must-revalidate, private"),)  # each view is asked for


def image(_request: Request, _submission: Submission, _verdicts: Verdicts) -> Answer:
    """The image, when the event is durable."""
    return Answer(body=GIF, content_type=_TYPE, headers=_NOT_STORED)


def refused_image(_request: Request, error: RequestError) -> Answer:
    """The image also when the event is refused; the status is for trackers that look at it."""
    return Answer(status=error.status, body=GIF, content_type=_TYPE, headers=_NOT_STORED)
