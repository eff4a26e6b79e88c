"""Puts on an event what its request says of the visitor, and takes off what one who opted out does not want kept.

Everything here is a look-up: agents, countries and cut addresses are remembered by their text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ingest.addresses import truncate
from ingest.agents import NOTHING, Agent, Agents
from ingest.context import RequestContext
from ingest.draft import Draft
from ingest.geoip import country_lookup
from ingest.hot_keys import HotKeys
from schemas.settings import LimitSettings, PrivacySettings

Enrich = Callable[[Sequence[Draft]], list[str]]
"""Completes the events of one request; for each the part of its key behind the site (`schemas.event.partition_key`)."""


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

    def of(self, site: str, context: RequestContext, *, server_side: bool, received_ms: int) -> Enrich:
        """What to call with the events of the request. Times in Unix ms.

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
        believes = not context.from_browser
        hot = self._hot
        if hot is not None:
            hot.turn_to(received_ms)

        def enrich(drafts: Sequence[Draft]) -> list[str]:
            for draft in drafts:
                agent = request_agent
                if (own := draft.user_agent) is not None:
                    agent = agents.of_event(own) if own else request_agent
                    draft.user_agent = None
                if agent is not NOTHING:
                    _complete(draft, agent)
                if looks_at_ip:
                    ip = (believes and draft.ip) or request_ip
                    draft.country = draft.country or country_of(ip)
                    draft.ip = truncate(ip) if keeps_ip else None
                elif draft.ip is not None:
                    draft.ip = None
            if context.opted_out:
                for draft in drafts:
                    draft.visitor_id = draft.session_id = draft.user_id = None
            elif cookie_id:
                for draft in drafts:
                    draft.visitor_id = draft.visitor_id or cookie_id
            keys = [draft.visitor_id or draft.session_id or "" for draft in drafts]
            if hot is not None:
                for place in hot.among(site, [key or request_ip for key in keys] if request_ip else keys):
                    drafts[place].is_hot = True
                    keys[place] = ""
            return (
                [key or draft.event_id or "" for key, draft in zip(keys, drafts, strict=True)] if "" in keys else keys
            )

        return enrich


def _complete(draft: Draft, agent: Agent) -> None:
    if not draft.device:
        draft.device = agent.device
    if not draft.browser:
        draft.browser = agent.browser
    if not draft.os:
        draft.os = agent.os
    if agent.is_bot:
        draft.is_bot = True
