"""What an exception would have hidden: tried on the stored findings of a rule and their events."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from tocsin.app.home.history import lanes_by_id
from tocsin.app.rules.exception_fields import unseen_fields
from tocsin.app.rules.rule_life import tests_hidden_by
from tocsin.app.wiring import Tocsin
from tocsin.detect.errors import RefusedDecision, UnknownRule
from tocsin.detect.overlays.hidden import group_of
from tocsin.detect.overlays.overlay_content import DamagedOverlay, read_fields
from tocsin.detect.reading.exceptions import compile_exceptions
from tocsin.detect.rules.overlay import RuleException
from tocsin.model.alert import Alert, Disposition
from tocsin.model.finding import MatchedField
from tocsin.store.ports import Damage, ReplayQuery
from tocsin.store.query import EventQuery, StoredEvent

DAYS = 30
MOST_FINDINGS = 2000
"""How far back stored findings are looked at, and how many of them, the latest."""
MOST_ALERTS = 500
"""Findings are told by alert for so many of a rule's alerts, the latest."""
_LONGEST_S = 5.0
"""No longer are the events of findings looked up; what was not found by then is counted."""
_KEPT_S = 60.0
_OF_RULE = 'lane:tocsin.finding AND NOT activity_id:3 AND finding_info.analytic.uid:"{}"'


@dataclass(frozen=True, slots=True)
class TouchedAlert:
    """An alert of which ``hidden`` of the ``kept`` findings looked at would not have been told."""

    alert: Alert
    hidden: int
    kept: int

    @property
    def is_whole(self) -> bool:
        return self.hidden == self.kept

    @property
    def was_true(self) -> bool:
        """A person closed it as an attack or a thing to know of."""
        return self.alert.disposition in (
            Disposition.TRUE_POSITIVE,
            Disposition.BENIGN_TRUE_POSITIVE,
        )


@dataclass(frozen=True, slots=True)
class ExceptionPreview:
    """``hidden`` of the ``kept`` findings looked at, and the ``touched`` alerts, latest first.

    ``stored`` findings of the last ``DAYS`` days there are; of ``gone`` ones
    the event is not stored any more or was not found in time. ``tests`` are the rule's own tests
    that must match and would be hidden, ``unseen_fields`` those that no event it looks at ever had.
    """

    touched: tuple[TouchedAlert, ...]
    hidden: int
    kept: int
    stored: int
    gone: int
    tests: tuple[str, ...] = ()
    unseen_fields: tuple[str, ...] = ()

    @property
    def is_partial(self) -> bool:
        """True when older findings of these days were not looked at."""
        return self.stored > MOST_FINDINGS

    @property
    def whole(self) -> int:
        return sum(one.is_whole for one in self.touched)

    @property
    def attacks(self) -> int:
        """Alerts that people closed as true positives, of which something would be hidden."""
        true = Disposition.TRUE_POSITIVE
        return sum(one.alert.disposition is true for one in self.touched)


@dataclass(frozen=True, slots=True)
class TriedFinding:
    """A finding by the event it was made of, and whom it is about (entity keys)."""

    time: datetime
    fields: Mapping[str, object]
    entities: frozenset[str]


@dataclass(frozen=True, slots=True)
class StoredFindings:
    """A rule's stored findings by event id; ``stored`` and ``gone`` as in ``ExceptionPreview``."""

    tried: Mapping[str, TriedFinding]
    stored: int = 0
    gone: int = 0


class FindingsAtHand:
    """Keeps the stored findings of the rule asked for last for a while; for any thread."""

    def __init__(self) -> None:
        self._one = threading.Lock()
        self._rule_id, self._at = "", 0.0
        self._found = StoredFindings({})

    def of(self, house: Tocsin, rule_id: str, now: datetime) -> StoredFindings:
        with self._one:
            if rule_id != self._rule_id or monotonic() - self._at > _KEPT_S:
                self._found = stored_findings(house, rule_id, now)
                self._rule_id, self._at = rule_id, monotonic()
            return self._found


def preview_exception(
    house: Tocsin,
    rule_id: str,
    fields: Mapping[str, object],
    now: datetime,
    at_hand: FindingsAtHand | None = None,
) -> ExceptionPreview:
    """Raises ``UnknownRule``, and ``RefusedDecision`` for fields that make no exception."""
    rule = house.rule_keeper.written.rule(rule_id)
    if rule is None:
        raise UnknownRule(f"no rule with the id {rule_id} is loaded")
    try:
        tried = RuleException("preview", "", "", read_fields(fields))
    except DamagedOverlay as error:
        raise RefusedDecision(f"the exception can't be used: {error}") from error
    at_work, refused = compile_exceptions([tried], rule.logsource)
    if refused:
        raise RefusedDecision(f"the exception can't be used: {refused[0][1]}")
    match = house.rule_keeper.written.by_id(rule_id)
    stored = (at_hand or FindingsAtHand()).of(house, rule_id, now)
    with house.state.read() as tx:
        alerts = house.alerts.page(tx, rule_id=rule_id, size=MOST_ALERTS).items
    findings = [*({**_kept_with(alerts), **stored.tried}).values()]
    is_hidden = [at_work.find(one.fields, now) is not None for one in findings]
    return ExceptionPreview(
        touched=_touched(alerts, findings, is_hidden),
        hidden=sum(is_hidden),
        kept=len(findings),
        stored=stored.stored,
        gone=stored.gone,
        tests=tuple(tests_hidden_by(tried, at_work, match, now)) if match else (),
        unseen_fields=unseen_fields(tried.fields, house.reach.shown_to(rule_id)),
    )


def _kept_with(alerts: Iterable[Alert]) -> dict[str, TriedFinding]:
    """By event id what alerts keep, also after the events are gone from the store."""
    return {
        one.event_id: TriedFinding(
            one.time, one.fields, frozenset(who.key for who in (alert.entity, *alert.related))
        )
        for alert in alerts
        for one in alert.exemplars
    }


def stored_findings(house: Tocsin, rule_id: str, now: datetime) -> StoredFindings:
    """The latest findings of a rule with the fields of their (last) events and their groups."""
    asked = EventQuery(
        _OF_RULE.format(rule_id.replace('"', "")),
        start=now - timedelta(days=DAYS),
        size=MOST_FINDINGS,
    )
    page = house.events.search(asked)
    by_event = {str(one.native.get("event_id", "")): one for one in page.events}
    found = _with_events(house, by_event) if by_event else {}
    return StoredFindings(found, page.total, len(by_event.keys() - found.keys()))


def _with_events(house: Tocsin, findings: Mapping[str, StoredEvent]) -> dict[str, TriedFinding]:
    """By event id the findings whose event is still stored; what is damaged is left out."""
    wanted = ReplayQuery(event_ids=frozenset(findings), with_ocsf=False)
    lane_of = lanes_by_id(house.normalizer.lanes)
    found: dict[str, TriedFinding] = {}
    until = monotonic() + _LONGEST_S
    for batch in house.events.replay(wanted, lane_of, _overlook):
        ids = batch.event_ids.to_pylist()
        for event_id, fields in zip(ids, batch.native_rows(range(len(batch))), strict=True):
            finding = findings[event_id]
            about = finding.native.get("entities")
            keys = frozenset(map(str, about)) if isinstance(about, list) else frozenset()
            tried = {**_group_of(finding), **fields}
            found[event_id] = TriedFinding(finding.time, tried, keys)
        if monotonic() > until:
            break
    return found


def _group_of(finding: StoredEvent) -> dict[str, str]:
    matched = finding.native.get("matched")
    told = [one for one in matched if isinstance(one, dict)] if isinstance(matched, list) else []
    parts = ("name", "value", "pattern")
    return group_of(MatchedField(*(str(one.get(part, "")) for part in parts)) for one in told)


def _overlook(_: Damage) -> None:
    """Findings of damaged segments are counted as gone."""


def _touched(
    alerts: Sequence[Alert], findings: Sequence[TriedFinding], is_hidden: Sequence[bool]
) -> tuple[TouchedAlert, ...]:
    """The alerts of which something would be hidden, by whom and when their findings were."""
    by_entity: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_entity.setdefault(alert.entity.key, []).append(alert)
    counts: dict[str, list[int]] = {}
    for one, hides in zip(findings, is_hidden, strict=True):
        for key in one.entities:
            for alert in by_entity.get(key, ()):
                if alert.first_seen <= one.time <= alert.last_seen:
                    of = counts.setdefault(alert.id, [0, 0])
                    of[0] += hides
                    of[1] += 1
    touched = [
        TouchedAlert(alert, *counts[alert.id]) for alert in alerts if counts.get(alert.id, [0])[0]
    ]
    return tuple(sorted(touched, key=lambda one: one.alert.last_seen, reverse=True))
