"""The alert agent: merges the partitions' per-minute counts of a site, runs the rules, sends each change of state.

Keyed by site. State is written after its alerts are acknowledged, so a repeat after a crash gives the same alerts again
with the same ids. Counts are snapshots: a lost or repeated record of `metrics` does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from faust.types import TP

from processors.domain.alerts.site import SiteAlerts, advance, load, observe
from processors.live.output import Output
from processors.live.tick import Tick, decode_tick
from schemas.alert_rule import AlertRule
from schemas.cloudevent import alert_headers
from schemas.event import from_ms
from schemas.logs import get_logger
from schemas.metrics import Metrics
from schemas.rows import AlertRow, MinuteMetrics

log = get_logger(__name__)

CLOCK_PERIOD_S: Final = 30.0
"""How often a site without traffic is told the time, so that its alerts lapse."""

_CLOCK_BEHIND: Final = timedelta(minutes=15)  # a live worker that lags less than this is waited for

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(MinuteMetrics).decode


class AlertAgent:
    """Holds the sites of the `metrics` partitions this process owns. `table` is a Faust table of raw bytes by site."""

    def __init__(self, app: Any, table: Any, output: Output, rules: Sequence[AlertRule], metrics: Metrics) -> None:
        self._app, self._table, self._output, self._rules, self._metrics = app, table, output, rules, metrics
        self._sites: dict[int, dict[str, SiteAlerts]] = {}

    async def run(self, stream: Any) -> None:
        """The agent's body: one record after the other, acknowledged when its consequences are stored."""
        async for event in stream.noack().events():
            message = event.message
            if TP(message.topic, message.partition) in self._app.consumer.assignment():
                if event.key is None:
                    await self._on_clock(message.partition, decode_tick(event.value))
                else:
                    await self._on_metrics(message.partition, event.value)
                event.ack()

    async def _on_metrics(self, partition: int, value: bytes) -> None:
        try:
            metrics = _decode(value)
        except msgspec.DecodeError:
            log.error("metrics record is unreadable, skipped", partition=partition)
            return
        state = self._site(partition, metrics.site)
        await self._conclude(partition, state, observe(state, metrics, self._rules))

    async def _on_clock(self, partition: int, tick: Tick) -> None:
        for state in list(self._sites.get(partition, {}).values()):
            changes = advance(state, from_ms(tick.at) - _CLOCK_BEHIND, self._rules)
            if changes:
                await self._conclude(partition, state, changes)

    def _site(self, partition: int, site: str) -> SiteAlerts:
        sites = self._sites.get(partition)
        if sites is None:
            sites = self._sites[partition] = self._load(partition)
        return sites.setdefault(site, SiteAlerts(site=site))

    def _load(self, partition: int) -> dict[str, SiteAlerts]:
        prefix = b"%d/" % partition
        return {key[len(prefix) :].decode(): load(self._table[key]) for key in self._table if key.startswith(prefix)}

    async def _conclude(self, partition: int, state: SiteAlerts, changes: Sequence[AlertRow]) -> None:
        for alert in changes:
            await self._output.send_alert(alert.fingerprint.encode(), _encode(alert), alert_headers(alert))
            self._metrics.counter("snag_alerts_total", alert.rule, alert.status).inc()
            log.info("alert", rule=alert.rule, status=alert.status, site=alert.site, funnel=alert.funnel)
        self._table[b"%d/%s" % (partition, state.site.encode())] = state.dump()

    def forget(self) -> None:
        """Drop all state: partitions are changing hands."""
        self._sites.clear()
