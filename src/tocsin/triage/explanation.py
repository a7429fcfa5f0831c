"""Explains an alert as data: what happened, why it says so, so what, and what next.

Every statement lists its grounds as ``kind:reference`` (event, rule, asset, service, attack,
alert, field), so that a reader can check each sentence and no sentence stands on its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tocsin.model.alert import Alert, AlertStatus
from tocsin.model.asset import Asset, BusinessService
from tocsin.model.entity import EntityKind
from tocsin.model.finding import MatchedField
from tocsin.model.rule import Rule
from tocsin.triage.attack import TACTICS, tactics_of

_KIND_WORDS = {
    EntityKind.HOST: "host",
    EntityKind.USER: "user",
    EntityKind.SERVICE_ACCOUNT: "service account",
    EntityKind.ADDRESS: "address",
    EntityKind.CLOUD_ACCOUNT: "cloud account",
    EntityKind.CLUSTER: "cluster",
    EntityKind.SOURCE: "log source",
}
_TIER_WORDS = ("most critical", "critical", "ordinary", "least critical")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence and what it rests on, as ``kind:reference``."""

    text: str
    grounds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertExplanation:
    """The four questions of the alert panel. ``matched`` are the fields to mark in the event."""

    what: Statement
    why: tuple[Statement, ...]
    so_what: tuple[Statement, ...]
    what_next: tuple[Statement, ...]
    matched: tuple[MatchedField, ...]


def explain_alert(
    alert: Alert,
    rule: Rule | None,
    asset: Asset | None = None,
    services: Sequence[BusinessService] = (),
) -> AlertExplanation:
    """Explain from what is known; ``rule`` None means it is no longer loaded, and that is said."""
    matched = alert.exemplars[-1].matched if alert.exemplars else ()
    return AlertExplanation(
        what=_what(alert),
        why=tuple(_why(alert, rule, matched)),
        so_what=tuple(_so_what(alert, asset, services)),
        what_next=tuple(_what_next(alert, rule, services)),
        matched=matched,
    )


def _what(alert: Alert) -> Statement:
    kind = _KIND_WORDS[alert.entity.kind]
    times = "once" if alert.count == 1 else f"{alert.count:,} times" if alert.count else "retracted"
    when = _when(alert)
    others = _listed([entity.name for entity in alert.related])
    involved = f", involving {others}" if others else ""
    sources = _listed(alert.sources)
    return Statement(
        f"{alert.rule_title}: {kind} {alert.entity.name}, {times}, {when}{involved}; "
        f"told by {sources}.",
        (f"alert:{alert.id}", *(f"event:{exemplar.event_id}" for exemplar in alert.exemplars)),
    )


def _when(alert: Alert) -> str:
    first = alert.first_seen.strftime("%Y-%m-%d %H:%M:%S UTC")
    if alert.first_seen == alert.last_seen:
        return f"at {first}"
    return f"from {first} to {alert.last_seen.strftime('%Y-%m-%d %H:%M:%S UTC')}"


def _why(alert: Alert, rule: Rule | None, matched: Sequence[MatchedField]) -> Iterator[Statement]:
    if rule is None:
        yield Statement(
            f"The rule {alert.rule_title} ({alert.rule_id}) is no longer loaded; what it matched "
            "is kept below.",
            (f"rule:{alert.rule_id}",),
        )
    elif rule.description:
        yield Statement(" ".join(rule.description.split()), (f"rule:{rule.id}",))
    event = (f"event:{alert.exemplars[-1].event_id}",) if alert.exemplars else ()
    for part in matched:
        yield Statement(
            f"{part.name} is {part.value!r}, which the rule looks for as {part.pattern}.",
            (f"field:{part.name}", *event, f"rule:{alert.rule_id}"),
        )
    for addend in alert.score.addends:
        yield Statement(
            f"{addend.points:+g} of score {alert.score.value:g}: {addend.reason}.",
            addend.evidence or (f"alert:{alert.id}",),
        )


def _so_what(
    alert: Alert, asset: Asset | None, services: Sequence[BusinessService]
) -> Iterator[Statement]:
    if asset is not None:
        tier = _TIER_WORDS[min(3, max(0, asset.tier))]
        owner = f", owned by {asset.owner}" if asset.owner else ""
        yield Statement(
            f"{asset.name} is a {tier} {asset.kind} (tier {asset.tier}){owner}.",
            (f"asset:{asset.name}",),
        )
    elif alert.entity.kind is not EntityKind.SOURCE:
        yield Statement(
            f"{alert.entity.name} is no asset we know, so who answers for it and how critical it "
            "is are open questions.",
            (f"entity:{alert.entity.key}",),
        )
    for service in services:
        needed = f" and needs {_listed(service.depends_on)}" if service.depends_on else ""
        yield Statement(
            f"It carries {service.name} (tier {service.tier}), which {service.users:,} people "
            f"use{needed}; {service.owner} owns it.",
            (f"service:{service.name}",),
        )
    tactics = tactics_of(alert.tags)
    if tactics:
        names = _listed([TACTICS[tactic] for tactic in tactics], len(tactics))
        yield Statement(
            f"In ATT&CK this belongs to {names}.", tuple(f"attack:{name}" for name in tactics)
        )
    if alert.techniques:
        yield Statement(
            f"Techniques: {_listed(alert.techniques, len(alert.techniques))}.",
            tuple(f"attack:{technique}" for technique in alert.techniques),
        )


def _what_next(
    alert: Alert, rule: Rule | None, services: Sequence[BusinessService]
) -> Iterator[Statement]:
    grounds = (f"rule:{alert.rule_id}",)
    if rule is not None:
        for question in rule.questions:
            yield Statement(question, grounds)
        if rule.response:
            yield Statement(" ".join(rule.response.split()), grounds)
        for benign in rule.false_positives:
            yield Statement(f"Known harmless cause to rule out: {benign}.", grounds)
    for service in services:
        if service.approver:
            yield Statement(
                f"What touches {service.name} needs the word of {service.approver}.",
                (f"service:{service.name}",),
            )
    yield Statement(_next_move(alert), (f"alert:{alert.id}",))


def _next_move(alert: Alert) -> str:
    if alert.status is AlertStatus.NEW:
        return "Nobody has taken this alert: acknowledge it, or close it with a reason."
    if alert.status is AlertStatus.CLOSED:
        outcome = alert.disposition.value.replace("_", " ") if alert.disposition else "closed"
        return f"Closed as {outcome}: {alert.reason}"
    if alert.case_id:
        return f"{alert.assignee or 'Nobody'} has it; it goes on in {alert.case_id}."
    return f"{alert.assignee or 'Nobody'} has it: open a case, or close it with a reason."


def _listed(names: Sequence[str], shown: int = _SHOWN) -> str:
    """``a, b and c``, or the first few and how many more."""
    if len(names) > shown:
        return f"{', '.join(names[:shown])} and {len(names) - shown} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
