"""Which sources have fallen silent, by event time: against their cadence and their usual week."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tocsin.ingest.sources.health_rules import SILENT_SOURCE
from tocsin.ingest.sources.usual_week import Missed
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.identifier import repeatable_id
from tocsin.model.source import SourceLedger

FLOOR_S = 15 * 60.0
"""Nobody is called silent sooner than this."""
PATIENCE = 3.0
"""How many of its usual intervals a source may miss."""


def allowed_silence_s(ledger: SourceLedger) -> float | None:
    """How long a source may be silent; None when it is too little known to tell."""
    if ledger.expected_interval_s is None:
        return None
    return max(FLOOR_S, PATIENCE * ledger.expected_interval_s)


def own_moment(ledger: SourceLedger, moment: datetime, now: datetime) -> datetime:
    """How far a source has come at ``now``, when events in general have come to ``moment``.

    While ever newer events of it arrive that is its newest: what it held back, and sends now, is
    late and not missing.
    """
    advanced, seen = ledger.advanced_at, ledger.last_seen
    if advanced is None or seen is None or (now - advanced).total_seconds() > FLOOR_S:
        return moment
    return min(moment, seen)


def silent_since(
    ledger: SourceLedger, moment: datetime, missed: Missed | None = None
) -> SourceLedger:
    """``ledger`` with ``silent_since`` set when it is silent at ``moment``, else without.

    It is when it misses its cadence, or when its usual week says that it ``missed`` events.
    """
    allowed_s = allowed_silence_s(ledger)
    is_silent = (
        allowed_s is not None
        and ledger.last_seen is not None
        and (moment - ledger.last_seen).total_seconds() > allowed_s
    )
    silent = ledger.last_seen if is_silent or missed is not None else None
    return replace(
        ledger, silent_since=silent, missed=round(missed.events) if missed is not None else 0
    )


def judged_at(ledgers: Sequence[SourceLedger], now: datetime) -> datetime:
    """The moment by which silence is judged: how far events have come, or the clock.

    While records keep arriving, that is the time of the newest event of all sources: a backlog
    that is being caught up (ours or a relay's) makes nobody look silent. When nothing at all has
    arrived for ``FLOOR_S``, it is ``now``.
    """
    received = [ledger.last_received for ledger in ledgers if ledger.last_received is not None]
    seen = [ledger.last_seen for ledger in ledgers if ledger.last_seen is not None]
    if not seen or not received or (now - max(received)).total_seconds() > FLOOR_S:
        return now
    return min(now, max(seen))


def find_silent(ledgers: Sequence[SourceLedger]) -> list[SourceLedger]:
    """The silent ones, as the book judged them.

    A source without a learned interval (new, or an archive that was read in) is never silent.
    """
    return [ledger for ledger in ledgers if ledger.silent_since is not None]


def silence_findings(
    silent: Sequence[SourceLedger], ledgers: Sequence[SourceLedger], now: datetime
) -> list[Finding]:
    """One finding a silent source; the same one as long as the same silence lasts.

    Its time is the moment the silence had lasted too long, by the cadence or by the week, if that
    saw it first. ``ledgers`` are all sources: the
    reason says how many of them still send, for when none does the fault is on our side.
    """
    others = [ledger for ledger in ledgers if allowed_silence_s(ledger) is not None]
    quiet = {(ledger.tenant, ledger.name) for ledger in silent}
    sending = sum((ledger.tenant, ledger.name) not in quiet for ledger in others)
    return [_finding(ledger, now, sending) for ledger in silent]


def _finding(ledger: SourceLedger, now: datetime, sending: int) -> Finding:
    rule = SILENT_SOURCE
    last_seen, allowed_s = ledger.last_seen, allowed_silence_s(ledger)
    if last_seen is None or allowed_s is None or ledger.expected_interval_s is None:
        raise ValueError(f"source {ledger.name} has no cadence, so it can't be called silent")
    finding_id = repeatable_id(
        "finding", rule.id, ledger.tenant, ledger.name, last_seen.isoformat()
    )
    silent_s = (now - last_seen).total_seconds()
    company = (
        f"{sending} other sources with a known interval still send"
        if sending
        else "no other source with a known interval sends either: look at the network and at Tocsin itself first"
    )
    usually = (
        f"in these hours of the week it usually sends at least {ledger.missed:,} events"
        if ledger.missed
        else f"usually one at least every {_spell(ledger.expected_interval_s)}, "
        f"allowed is {_spell(allowed_s)}"
    )
    because = (
        f"Last event {last_seen:%Y-%m-%d %H:%M:%S} UTC, {_spell(silent_s)} ago; {usually}. "
        f"{company[0].upper()}{company[1:]}."
    )
    interval = f"{ledger.expected_interval_s:.0f}"
    return Finding(
        finding_id=finding_id,
        rule_id=rule.id,
        rule_title=rule.title,
        level=rule.level,
        time=min(now, last_seen + timedelta(seconds=allowed_s)),
        event_id=finding_id,
        lane="tocsin.health",
        source=ledger.name,
        tags=rule.tags,
        techniques=rule.techniques,
        entities=(Entity(EntityKind.SOURCE, ledger.name.lower()),),
        matched=(
            MatchedField("last_seen", last_seen.isoformat(), f"older than {_spell(allowed_s)}"),
            MatchedField("expected_interval_s", interval, f"missed {PATIENCE:.0f} times"),
        ),
        fields={
            "source": ledger.name,
            "last_seen": last_seen.isoformat(),
            "expected_interval_s": ledger.expected_interval_s,
            "allowed_silence_s": allowed_s,
            "missed_events": ledger.missed,
            "received": ledger.received,
            "lanes": list(ledger.lanes),
            "because": because,
        },
        ocsf={"message": because},
        tenant=ledger.tenant,
    )


def _spell(seconds: float) -> str:
    """A duration as people say it: ``45 s``, ``20 min``, ``3.5 h``, ``2.0 days``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"
