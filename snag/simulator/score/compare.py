"""Found against told: precision and recall of what was recognised, errors of what was counted, minutes to detect."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec

from schemas.truth import STAGES, TruthIncident, TruthSession
from snag.simulator.score.found import Alert, Found
from snag.simulator.score.told import Told

_T = TypeVar("_T")

_ATTEMPT_WINDOW: Final = timedelta(hours=24)  # of the shipped funnel
_AFTERMATH: Final = timedelta(hours=2)  # a step entered within an incident is judged later, and visits end later
_CARRIED: Final = ("product_added", "checkout_started", "shipping", "payment")


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """`told` things were there, `found` were said, `both` of them rightly; shares are None where there was nothing."""

    told: int
    found: int
    both: int

    @property
    def precision(self) -> float | None:
        """Of what was said, the share that was so."""
        return self.both / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """Of what was so, the share that was said."""
        return self.both / self.told if self.told else None


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A number as it was and as it was said."""

    told: float
    found: float

    @property
    def error(self) -> float:
        """Relative error; of a share (`told` at most 1) the difference."""
        if self.told <= 1:
            return self.found - self.told
        return self.found / self.told - 1


class Detected(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one incident. `minutes`: from its start to the first alert, None if there was none. `at_step`:
    whether an alert names the step that it strikes. `costs_orders`: whether it cost any at all.
    """

    id: str
    kind: str
    step: str
    met_sessions: int
    lost_orders: int
    lost_value: float
    minutes: float | None
    at_step: bool
    alerts: list[str]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The whole comparison. `signals` by name; `alerts`: those that fired, against the incidents."""

    site: str
    sessions: Recognised
    attempts: Recognised
    conversions: Recognised
    signals: dict[str, Recognised]
    alerts: Recognised
    orders: Counted
    session_conversion: Counted
    attempt_conversion: Counted
    incidents: list[Detected]
    false_alerts: list[str]


def compare(told: Told, found: Found) -> Score:
    """Score `found` against `told`. Sessions that the data do not hold in full are left out on both sides."""
    known = told.sessions
    ours = {session_id for session_id in found.orders if session_id not in told.cut}
    carts = {id_ for id_, session in known.items() if session.stage in _CARRIED or session.stage == "ordered"}
    orders = sum(found.orders.get(id_, 0) for id_ in known)
    wanted, converted, unclear = _attempts(known.values())
    said = {(id_, went) for id_, went in found.attempts if id_ in wanted or id_ not in known}
    said_ids = {id_ for id_, _ in said if id_ not in told.cut}
    bought = {id_ for id_, went in said if went} - unclear
    incidents, alerts, false = _alerts(told.incidents, found.alerts)
    return Score(
        site=told.run.site,
        sessions=_recognised(known.keys(), ours),
        attempts=_recognised(wanted, said_ids),
        conversions=_recognised(converted, bought & wanted),
        signals=_signals(known, found),
        alerts=alerts,
        orders=Counted(told=sum(session.stage == "ordered" for session in known.values()), found=orders),
        session_conversion=Counted(
            told=_share(sum(known[id_].stage == "ordered" for id_ in carts), len(carts)),
            found=_share(sum(found.orders.get(id_, 0) > 0 for id_ in carts), len(carts)),
        ),
        attempt_conversion=Counted(
            told=_share(len(converted), len(wanted - unclear)),
            found=_share(len(bought & wanted), len((said_ids & wanted) - unclear)),
        ),
        incidents=incidents,
        false_alerts=false,
    )


def _attempts(sessions: Iterable[TruthSession]) -> tuple[set[str], set[str], set[str]]:
    """Sessions that begin an attempt at the checkout, those whose attempt ends in an order, those that are unclear.

    A cart taken up again within the funnel's window goes on with the attempt; whether an order near the window's end
    still belongs to it hangs on seconds that the truth does not tell: unclear, and left out of conversion.
    """
    begins = {s.session_id: s for s in sessions if not s.is_bot and s.stage in STAGES[1:] and not s.kept_cart}
    converted = {id_ for id_, session in begins.items() if session.stage == "ordered"}
    later: dict[str, list[TruthSession]] = defaultdict(list)
    for session in sessions:
        if session.kept_cart:
            later[session.visitor_id].append(session)
    unclear: set[str] = set()
    for id_, session in begins.items():
        for again in later.get(session.visitor_id, ()):
            if id_ not in converted and again.starts_at > session.starts_at:
                unclear.add(id_)
    return set(begins), converted - unclear, unclear


def _signals(known: dict[str, TruthSession], found: Found) -> dict[str, Recognised]:
    told = {(name, id_) for id_, session in known.items() for name in session.friction}
    said = {(name, id_) for id_ in known for name in found.signals.get(id_, ())}
    people = {id_ for id_, session in known.items() if not session.is_bot}
    told, said = ({pair for pair in pairs if pair[1] in people} for pairs in (told, said))
    names = sorted({name for name, _ in told | said})
    counts = [Counter(name for name, _ in pairs) for pairs in (told, said, told & said)]
    return {name: Recognised(told=counts[0][name], found=counts[1][name], both=counts[2][name]) for name in names}


def _alerts(incidents: list[TruthIncident], alerts: list[Alert]) -> tuple[list[Detected], Recognised, list[str]]:
    """An alert is an incident's when what it tells of began while that lasted, or in its aftermath."""
    detected = [_detected(incident, [a for a in alerts if _belongs(incident, a.starts_at)]) for incident in incidents]
    false = [alert for alert in alerts if not any(_belongs(incident, alert.starts_at) for incident in incidents)]
    seen = sum(one.minutes is not None for one in detected)
    # Precision is of alerts, recall of incidents: several alerts of one incident are one detection.
    right = len(alerts) - len(false)
    return (
        detected,
        Recognised(told=len(incidents), found=seen + len(false) if right else len(false), both=seen),
        [f"{alert.starts_at:%Y-%m-%d %H:%M} {alert.summary}" for alert in false],
    )


def _detected(incident: TruthIncident, alerts: list[Alert]) -> Detected:
    first = min((alert.fired_at for alert in alerts), default=None)
    return Detected(
        id=incident.id,
        kind=incident.kind,
        step=incident.step,
        met_sessions=incident.met_sessions,
        lost_orders=incident.lost_orders,
        lost_value=incident.lost_value,
        minutes=None if first is None else (first - incident.starts_at).total_seconds() / 60,
        at_step=any(alert.step_name == incident.step or not incident.step for alert in alerts),
        alerts=[alert.summary for alert in alerts],
    )


def _belongs(incident: TruthIncident, at: datetime) -> bool:
    return incident.starts_at - timedelta(minutes=30) <= at < incident.ends_at + _AFTERMATH


def _recognised(told: Iterable[str], found: Iterable[str]) -> Recognised:
    wanted, said = set(told), set(found)
    return Recognised(told=len(wanted), found=len(said), both=len(wanted & said))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
