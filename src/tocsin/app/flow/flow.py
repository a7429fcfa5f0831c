"""The way of an event: from the spool through every room into the store, exactly once."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection

from tocsin.app.flow.correlated_findings import CorrelatedFindings
from tocsin.app.flow.correlation_memory import forget_changed, keep_state
from tocsin.app.flow.decoding_ahead import DecodingAhead
from tocsin.app.flow.identity import EntitiesOf
from tocsin.app.flow.reading_ahead import Reading, ReadingAhead
from tocsin.app.flow.recent_events import RecentEvents
from tocsin.app.flow.turn_sources import turns_of
from tocsin.app.rules.hunt_selection import with_takers
from tocsin.app.rules.look_ledger import LookLedger
from tocsin.app.rules.rule_sieve import Sieve, to_fold
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.turn import Turn
from tocsin.detect.findings import findings_of
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.ingest.sources.ledger import SourceBook
from tocsin.ingest.sources.quarantine import Aside, asides_of, records_in
from tocsin.ingest.sources.seen_fields import SeenFields
from tocsin.model.alert import Alert
from tocsin.model.event import EventBatch
from tocsin.model.finding import Finding
from tocsin.model.record import Decoded, Framing, Origin, Unreadable
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.ports import BlobStore, EventStore, SpoolEntry, StateStore, StoreAway, WorkQueue
from tocsin.triage.alerts import AlertBook
from tocsin.triage.finding_events import findings_batch

_log = structlog.get_logger()
_REST_SHARE = 2.0
"""So many times as long as a turn took, what waits may grow before the next one."""
_LONGEST_REST_S = 0.5


@dataclass(frozen=True, slots=True)
class FlowParts:
    """What the flow works with."""

    state: StateStore
    events: EventStore
    blobs: BlobStore
    spool: WorkQueue
    sources: SourceBook
    normalizer: Normalizer
    engine: Engine
    correlator: Correlator
    alerts: AlertBook
    entities_of: EntitiesOf
    seen: SeenFields = field(default_factory=SeenFields)
    looks: LookLedger = field(default_factory=LookLedger)
    decoding: DecodingAhead = field(default_factory=DecodingAhead)


@dataclass(slots=True)
class FlowCounts:
    """What has gone through since the start of the process."""

    records: int = 0
    events: int = 0
    unreadable: int = 0
    findings: int = 0
    batches: int = 0


Settle = Callable[[Connection, Sequence[EventBatch]], None]


@dataclass(slots=True)
class _Worked:
    """What one turn of the flow has made, before it is committed."""

    position: int
    batches: list[EventBatch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unreadable: list[Aside] = field(default_factory=list)
    received: Counter[tuple[str, str]] = field(default_factory=Counter)
    received_bytes: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: dict[str, int] = field(default_factory=dict)
    turn: Turn | None = None
    sieve: Sieve | None = None
    settle: Settle | None = None
    held: frozenset[str] | None = None
    """The rules that pause from this turn on, this turn included; None: as before."""


class Flow:
    """Takes spool entries through decode, normalize, detect and triage.

    One turn works on a few megabytes, while the next, if as much waits, is read in another thread.
    It ends in ONE transaction that publishes the segment, folds the alerts, keeps what correlations
    remember, adds to the ledgers, notes which fields came, keeps the unreadable and moves the spool
    offset: after a crash the turn happened or is done again, with the same event ids.
    """

    def __init__(
        self,
        parts: FlowParts,
        *,
        batch_bytes: int,
        on_alerts: Callable[[Sequence[Alert]], None] | None = None,
    ) -> None:
        """``on_alerts`` hears of every new or grown alert after its transaction committed."""
        self._parts = parts
        self._ahead = ReadingAhead(parts.spool, parts.normalizer, parts.decoding, batch_bytes)
        self._on_alerts = on_alerts
        self._recent = RecentEvents(parts.events)
        self._turn = threading.Lock()
        self._work = threading.Event()
        self._position: int | None = None
        self.held: frozenset[str] = frozenset()
        self.counts = FlowCounts()
        self.error: str = ""

    def wake(self) -> None:
        """Say that the spool has grown; may be called from any thread."""
        self._work.set()

    def turn(self) -> int:
        """Work on what waits, up to ``batch_bytes``; how many spool entries were finished."""
        with self._turn:
            start = self._parts.spool.committed()
            reading = self._ahead.taken(start)
            entries = reading.entries if reading else self._ahead.entries(start)
            if not entries:
                return 0
            worked, done = self._work_safely(entries, reading)
            self._commit_or_forget(worked)
            return done

    def read_again(self, parts: Sequence[tuple[Decoded, Origin]]) -> list[EventBatch]:
        """What records that are not in the spool come to, not stored yet."""
        with self._turn:
            return self._ahead.normalize(parts)

    def take_again(self, batches: list[EventBatch], settle: Settle) -> None:
        """Take what was set aside before, and could be read again, through every other room.

        ``settle`` is called, with the events they became, within the transaction that publishes
        them: so they are in one place or the other, never in both.
        """
        with self._turn:
            worked = _Worked(position=-1, settle=settle, batches=batches)
            self._judge(worked, self.unlooked_from(datetime.now(UTC)))
            self._commit_or_forget(worked)

    def drain(self, on_turn: Callable[[int], None] | None = None) -> None:
        """Work until the spool is empty; ``on_turn`` gets the entries each turn finished."""
        while done := self.turn():
            if on_turn is not None:
                on_turn(done)

    def change_rules(self, ruleset: RuleSet) -> None:
        """Put other rules in force between two turns; no event is missed or seen twice."""
        with self._turn:
            self._parts.engine.replace(ruleset)
            self._parts.correlator.replace(ruleset.stateful)
            with self._parts.state.begin() as tx:
                forget_changed(tx, ruleset.stateful)
                since = self.unlooked_from(datetime.now(UTC))
                self._parts.looks.change(tx, ruleset, since, self._unlooking(ruleset))

    def hold(self, rule_ids: frozenset[str]) -> None:
        """Let these rules pause, and no others, between two turns; the ledger knows who missed what."""
        with self._turn:
            ruleset = self._parts.engine.ruleset
            self.held = rule_ids
            self._parts.engine.hold(rule_ids)
            with self._parts.state.begin() as tx:
                since = self.unlooked_from(datetime.now(UTC))
                self._parts.looks.change(tx, ruleset, since, self._unlooking(ruleset))

    def unlooking(self) -> frozenset[str]:
        """Ids of the rules that pause, and of those that build on them."""
        return self._unlooking(self._parts.engine.ruleset)

    def _unlooking(self, ruleset: RuleSet) -> frozenset[str]:
        return with_takers(ruleset, self.held) if self.held else frozenset()

    def unlooked_from(self, now: datetime) -> datetime:
        """From when on what was received has not been looked at: ``now`` when nothing waits."""
        spool = self._parts.spool
        waiting = next(iter(spool.read(spool.committed(), 1)), None)
        return now if waiting is None else min(now, waiting.batch.received_at)

    def close_windows(self, now: datetime) -> int:
        """Let time go on for correlations while no event comes; how many verdicts that gives.

        While records wait, their own turns do that.
        """
        with self._turn:
            if self._parts.spool.backlog_bytes():
                return 0
            turn, sieve = self._parts.correlator.begin(), self._sieve(now)
            findings = self._verdicts(turn, now, sieve)
            if findings or sieve.hidden or turn.changes():
                self._commit(_Worked(position=-1, findings=findings, turn=turn, sieve=sieve))
            else:
                turn.keep()
            return len(findings)

    def add_findings(self, findings: Sequence[Finding]) -> None:
        """Take findings that no event made (a silent source, say) the same way."""
        if findings:
            with self._turn:
                sieve = self._sieve(datetime.now(UTC))
                kept = sieve.findings(findings)
                self._commit(_Worked(position=-1, findings=kept, sieve=sieve))

    def add_unreadable(self, items: Sequence[Unreadable]) -> None:
        """Keep records that a file reader could not read, counted on their sources."""
        with self._turn:
            worked = _Worked(position=-1)
            now = datetime.now(UTC)
            for item in items:
                worked.received["default", item.source] += 1
                worked.received_bytes["default", item.source] += len(item.payload)
                worked.unreadable.append(Aside("default", now, item, Framing.FRAGMENT))
            self._commit(worked)

    def run(self, stop: threading.Event, cut_s: float) -> None:
        """Work until ``stop``; an error is logged, shown and the turn tried again."""
        pause_s = 1.0
        self._ahead.waits = True
        while not stop.is_set():
            self._work.wait(timeout=self._ahead.pause_s(cut_s))
            self._work.clear()
            try:
                while self._turn_and_rest(stop, cut_s):
                    pause_s = 1.0
                self.error = ""
            except Exception as error:
                self.error = f"{type(error).__name__}: {error}"
                _log.exception("flow_turn_failed", retry_s=pause_s)
                stop.wait(pause_s)
                pause_s = min(pause_s * 2, 10.0)

    def _turn_and_rest(self, stop: threading.Event, cut_s: float) -> bool:
        """One turn, then time for the next to fill: it costs much the same whatever it brings."""
        began = time.monotonic()
        done = self.turn()
        if done and not self._ahead.is_full:
            took_s = time.monotonic() - began
            stop.wait(min(_REST_SHARE * took_s, _LONGEST_REST_S, cut_s))
        return bool(done) and not stop.is_set()

    def _work_safely(
        self, entries: Sequence[SpoolEntry], reading: Reading | None
    ) -> tuple[_Worked, int]:
        """Work on as many entries as go through; one that never does is set aside, whole.

        What a record can make a room stumble over must not stop everyone else's records.
        """
        while True:
            try:
                return self._work_on(reading or self._ahead.read(entries)), len(entries)
            except StoreAway:
                raise  # the records are as good as any: they wait until it is back
            except Exception as error:
                reading = None
                if len(entries) > 1:
                    entries = entries[: len(entries) // 2]
                    continue
                _log.exception("spool_entry_set_aside", source=entries[0].batch.source)
                return _set_aside(entries[0], error), 1

    def _work_on(self, reading: Reading) -> _Worked:
        entries = reading.entries
        self._ahead.begin(entries[-1].position)
        worked = _Worked(
            position=entries[-1].position,
            batches=reading.batches,
            unreadable=reading.unreadable,
            received=reading.received,
            received_bytes=reading.received_bytes,
        )
        self._judge(worked, max(entry.batch.received_at for entry in entries))
        return worked

    def _judge(self, worked: _Worked, heard_at: datetime) -> None:
        """Let the rules look at what was read."""
        parts = self._parts
        worked.turn = parts.correlator.begin()
        worked.sieve = sieve = self._sieve(heard_at)
        for batch in worked.batches:
            hits = sieve.hits(batch, parts.engine.evaluate(batch))
            worked.turn.take(batch, hits)
            if hits:
                worked.findings.extend(
                    findings_of(batch, hits, parts.engine.ruleset, parts.entities_of)
                )
        worked.findings.extend(self._verdicts(worked.turn, heard_at, sieve))
        if paused := parts.engine.paused - self.held:
            worked.held = self.held | paused

    def _sieve(self, moment: datetime) -> Sieve:
        return Sieve(self._parts.engine.ruleset, moment)

    def _verdicts(self, turn: Turn, now: datetime, sieve: Sieve) -> list[Finding]:
        """What correlation has to say at the end of a turn.

        ``now`` is when the records came in rather than the clock of the moment: so a backlog
        lets no source look idle, and a turn that is done again says the same.
        """
        parts = self._parts
        verdicts = turn.finish(now, hides=sieve.hides_group)
        sieve.silent(verdicts)
        stored = self._recent.last_of
        made = CorrelatedFindings(parts.engine.ruleset, parts.entities_of, stored)
        return sieve.findings(made.of(verdicts))

    def _commit_or_forget(self, worked: _Worked) -> None:
        try:
            self._commit(worked)
        except BaseException:
            self._parts.seen.forget()
            self._parts.looks.forget()
            raise

    def _commit(self, worked: _Worked) -> None:
        parts = self._parts
        now = datetime.now(UTC)
        sieve = worked.sieve or self._sieve(now)
        worked.findings = sieve.marked(worked.findings)
        batches = list(worked.batches)
        by_tenant: dict[str, list[Finding]] = {}
        for finding in worked.findings:
            by_tenant.setdefault(finding.tenant, []).append(finding)
        batches += [findings_batch(findings, now) for findings in by_tenant.values()]
        segment = parts.events.write(batches)
        with parts.state.begin() as tx:
            if segment is not None:
                parts.events.publish(tx, segment)
            folded = to_fold(worked.findings)
            changed = parts.alerts.fold(tx, folded, now) if folded else []
            sieve.count(tx, worked.findings, now)
            if worked.turn is not None:
                keep_state(tx, worked.turn.changes())
            parts.sources.quarantine(tx, parts.blobs, worked.unreadable)
            self._add_to_ledgers(tx, worked, now)
            if worked.held is not None:
                unlooking = with_takers(parts.engine.ruleset, worked.held)
                parts.looks.pause(tx, parts.engine.ruleset, worked.batches, unlooking)
            parts.looks.add(tx, worked.batches, worked.skipped)
            parts.seen.add(tx, worked.batches, now)
            if worked.settle is not None:
                worked.settle(tx, worked.batches)
            if worked.position >= 0:
                parts.spool.commit(tx, worked.position)
        if worked.held is not None:
            self.held = worked.held
            parts.engine.hold(worked.held)
        if worked.turn is not None:
            worked.turn.keep()
        self._recent.keep(worked.batches if parts.engine.ruleset.stateful else ())
        self._count(worked)
        if changed and self._on_alerts is not None:
            self._on_alerts(changed)

    def _add_to_ledgers(self, tx: Connection, worked: _Worked, now: datetime) -> None:
        """One ledger entry a source: what it sent, what was stored of it, and when it happened."""
        quarantined = Counter((one.tenant, one.item.source) for one in worked.unreadable)
        turns = turns_of(worked.batches, worked.received, worked.received_bytes, quarantined)
        self._parts.sources.add(tx, turns, now)

    def close(self) -> None:
        """Let the reading thread end; call it when nothing turns the flow any more."""
        self._ahead.close()

    def _count(self, worked: _Worked) -> None:
        counts = self.counts
        counts.records += sum(worked.received.values())
        counts.events += sum(len(batch) for batch in worked.batches)
        counts.unreadable += len(worked.unreadable)
        counts.findings += len(worked.findings)
        counts.batches += 1


def _set_aside(entry: SpoolEntry, error: Exception) -> _Worked:
    """Every line of an entry as unreadable, with what went wrong."""
    raw = entry.batch
    reason = f"Tocsin failed on this batch ({type(error).__name__}: {error}); please report it"
    lines = records_in(raw, reason)
    worked = _Worked(position=entry.position)
    worked.received[raw.tenant, raw.source] = len(lines)
    worked.received_bytes[raw.tenant, raw.source] = len(raw.payload)
    worked.unreadable = asides_of(raw, lines)
    worked.skipped = {raw.tenant: len(lines)}
    return worked
