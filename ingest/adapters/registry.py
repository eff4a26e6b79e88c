"""The table of everything the collector takes events from; `schemas.routes` says where each is served."""

from __future__ import annotations

from typing import Final

from ingest.adapters.adapter import Served
from ingest.adapters.browser_reports import BROWSER_REPORTS
from ingest.adapters.cloudevents import CLOUDEVENTS
from ingest.adapters.forget import FORGET
from ingest.adapters.ga4 import GA4, GA4_DEBUG
from ingest.adapters.ga4_tag import GA4_TAG
from ingest.adapters.native import NATIVE
from ingest.adapters.pixel import PIXEL
from ingest.adapters.posthog import POSTHOG, POSTHOG_V1
from ingest.adapters.posthog_pages import POSTHOG_PAGES
from ingest.adapters.sdk_files import SDK_FILES
from ingest.adapters.segment import SEGMENT
from ingest.adapters.segment_pages import SEGMENT_PAGES
from ingest.adapters.sentry import SENTRY, SENTRY_STORE
from ingest.adapters.snowplow import SNOWPLOW, SNOWPLOW_PIXEL
from ingest.adapters.web_vitals import WEB_VITALS

SERVED: Final[tuple[Served, ...]] = (
    NATIVE,
    *SDK_FILES,
    SEGMENT,
    POSTHOG,
    POSTHOG_V1,
    *SEGMENT_PAGES,
    *POSTHOG_PAGES,
    SNOWPLOW,
    SNOWPLOW_PIXEL,
    SENTRY,
    SENTRY_STORE,
    BROWSER_REPORTS,
    WEB_VITALS,
    GA4,
    GA4_DEBUG,
    GA4_TAG,
    PIXEL,
    CLOUDEVENTS,
    FORGET,
)
