"""Puts on an event what its request says of the visitor, and takes off what one who opted out does not want kept.

Everything here is a look-up: agents, countries and cut addresses are remembered by their text.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest.addresses import truncate
from ingest.agents import NOTHING, Agents
from ingest.context import RequestContext
from ingest.geoip import country_lookup
from ingest.hot_keys import HotKeys
from schemas.event import Event
from schemas.openapi import IncomingEvent
from schemas.settings import LimitSettings, PrivacySettings

Enrich = Callable[[Event, IncomingEvent], None]


class Enrichment:
    """Makes, per request, the function that completes its events."""

    def __init__(self, settings: PrivacySettings, limits: LimitSettings) -> None:
        """Raises GeoIpError when the GeoIP file cannot be used."""
        self._hot = HotKeys(limits.hot_events_per_minute) if limits.hot_events_per_minute else None
        self._agents = Agents()
        self._country = country_lookup(settings.geoip)
        self._keeps_ip = settings.ip == "truncate"
        self._looks_up = settings.geoip is not None
        self.masks = settings.mask
        self._drops = settings.opt_out == "drop"

    def drops(self, context: RequestContext) -> bool:
        """Whether nothing of the request is kept, since its visitor opted out."""
        return self._drops and context.opted_out

    def of(self, context: RequestContext, *, server_side: bool, received_ms: int) -> Enrich:
        """What to call with each new event of the request, and with what was sent for it. Times in Unix ms.

        What the client said wins, but for `is_bot`, where either is enough. An event's own user agent wins over the
        request's; its own address is believed only where no browser sent it, for one could claim any. Where a server
        speaks for its visitors (`server_side`) the request's own agent and address are not theirs.
        """
        agents, country_of = self._agents, self._country
        request_agent = agents.of_request(context.user_agent) if context.user_agent and not server_side else NOTHING
        request_ip = "" if server_side else context.ip
        keeps_ip = self._keeps_ip and not context.opted_out
        looks_at_ip = keeps_ip or self._looks_up
        cookie_id = context.visitor_id
        hot = self._hot
        if hot is not None:
            hot.turn_to(received_ms)

        def enrich(event: Event, sent: IncomingEvent) -> None:
            agent = agents.of_event(sent.user_agent) if sent.user_agent else request_agent
            if agent is not NOTHING:
                if not event.device:
                    event.device = agent.device
                if not event.browser:
                    event.browser = agent.browser
                if not event.os:
                    event.os = agent.os
                if agent.is_bot:
                    event.is_bot = True
            if looks_at_ip:
                ip = (not context.from_browser and sent.ip) or request_ip
                if not event.country:
                    event.country = country_of(ip)
                if keeps_ip:
                    event.ip = truncate(ip)
            if context.opted_out:
                event.visitor_id = event.session_id = event.user_id = ""
            elif cookie_id and not event.visitor_id:
                event.visitor_id = cookie_id
            who = event.visitor_id or event.session_id or request_ip
            if hot is not None and who and hot.add(event.site, who):
                event.is_hot = True

        return enrich
