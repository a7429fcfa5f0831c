"""What an exception would have hidden: tried on the events kept with a rule's latest alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tocsin.app.rule_life import tests_hidden_by
from tocsin.app.wiring import Tocsin
from tocsin.detect.errors import RefusedDecision, UnknownRule
from tocsin.detect.exceptions import compile_exceptions
from tocsin.detect.overlay import RuleException
from tocsin.detect.overlay_content import DamagedOverlay, read_fields
from tocsin.model.alert import Alert, Disposition

MOST_ALERTS = 200
"""Of how many alerts, the latest, the kept events are looked at."""


@dataclass(frozen=True, slots=True)
class TouchedAlert:
    """An alert of which ``hidden`` of the ``kept`` events would not have been told."""

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
    """``touched`` alerts, latest first, of the ``alerts`` looked at, and what they keep.

    ``tests`` are the rule's own tests that must match and would be hidden.
    """

    touched: tuple[TouchedAlert, ...]
    alerts: int
    hidden: int
    kept: int
    tests: tuple[str, ...] = ()

    @property
    def whole(self) -> int:
        return sum(one.is_whole for one in self.touched)

    @property
    def attacks(self) -> int:
        """Alerts that people closed as true positives, of which something would be hidden."""
        true = Disposition.TRUE_POSITIVE
        return sum(one.alert.disposition is true for one in self.touched)


def preview_exception(
    house: Tocsin, rule_id: str, fields: Mapping[str, object], now: datetime
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
    with house.state.read() as tx:
        alerts = house.alerts.page(tx, rule_id=rule_id, size=MOST_ALERTS).items
    touched = []
    for alert in alerts:
        hidden = sum(at_work.find(one.fields, now) is not None for one in alert.exemplars)
        if hidden:
            touched.append(TouchedAlert(alert, hidden, len(alert.exemplars)))
    match = house.rule_keeper.written.by_id(rule_id)
    return ExceptionPreview(
        touched=tuple(sorted(touched, key=lambda one: one.alert.last_seen, reverse=True)),
        alerts=len(alerts),
        hidden=sum(one.hidden for one in touched),
        kept=sum(len(alert.exemplars) for alert in alerts),
        tests=tuple(tests_hidden_by(tried, at_work, match, now)) if match else (),
    )
