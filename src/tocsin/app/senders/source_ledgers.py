"""The ledgers of all sources with what still waits in the spool, so that they add up."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tocsin.ingest.sources.ledger import SourceBook
from tocsin.model.intake import Intake, IntakeState
from tocsin.model.source import SourceLedger
from tocsin.store.ports import StateStore, WorkQueue

_LOOKED_THROUGH_BYTES = 64 << 20
_TRIES = 5


@dataclass(frozen=True, slots=True)
class SourceLedgers:
    """``is_whole`` is False while more waits than can be counted: then some is missing."""

    ledgers: tuple[SourceLedger, ...]
    waiting_bytes: int
    is_whole: bool


def source_ledgers(
    state: StateStore,
    sources: SourceBook,
    spool: WorkQueue,
    now: datetime,
    intakes: Sequence[Intake] = (),
) -> SourceLedgers:
    """Every source with its counts, which add up, at one moment of the flow.

    What waits is counted by its lines, of the first 64 MiB. A source of ``intakes`` that has not
    come to anything yet is there too, with nothing in its ledger.
    """
    for _ in range(_TRIES):
        start = spool.committed()
        with state.read() as tx:
            known = sources.sources(tx, now)
        waiting, is_whole = _waiting(spool, start)
        if spool.committed() == start:
            break
    else:
        waiting, is_whole = Counter(), False
    found = [_with_waiting(one, waiting.pop((one.tenant, one.name), 0)) for one in known]
    found += [_with_waiting(_unknown(*key), count) for key, count in waiting.items()]
    found = list(_with_intakes(found, intakes))
    found.sort(key=lambda one: (one.name, one.tenant))
    return SourceLedgers(tuple(found), spool.backlog_bytes(), is_whole)


def _with_intakes(
    found: Sequence[SourceLedger], intakes: Sequence[Intake]
) -> Iterator[SourceLedger]:
    worst_last = sorted(intakes, key=lambda one: one.state is IntakeState.FAILING)
    by_source = {("default", one.source): one for one in worst_last}
    for ledger in found:
        intake = by_source.pop((ledger.tenant, ledger.name), None)
        yield replace(ledger, intake=intake) if intake is not None else ledger
    for key, intake in by_source.items():
        yield replace(_unknown(*key), intake=intake)


def _waiting(spool: WorkQueue, start: int) -> tuple[Counter[tuple[str, str]], bool]:
    waiting: Counter[tuple[str, str]] = Counter()
    position = start
    for entry in spool.read(start, _LOOKED_THROUGH_BYTES):
        raw, position = entry.batch, entry.position
        waiting[raw.tenant, raw.source] += raw.payload.rstrip(b"\n").count(b"\n") + 1
    return waiting, next(iter(spool.read(position, 1)), None) is None


def _with_waiting(ledger: SourceLedger, waiting: int) -> SourceLedger:
    if not waiting:
        return ledger
    return replace(ledger, received=ledger.received + waiting, waiting=waiting)


def _unknown(tenant: str, name: str) -> SourceLedger:
    return SourceLedger(
        name=name,
        tenant=tenant,
        received=0,
        stored=0,
        quarantined=0,
        unrecognized=0,
        received_bytes=0,
        first_seen=None,
        last_seen=None,
        last_received=None,
    )
