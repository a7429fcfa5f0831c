"""Keeps account of what was looked at: each turn adds the events of each lane, each change the rules.

Times are those of receipt: by them, what was stored before a rule came is told from what it saw.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Update, bindparam, case, func, insert, select, update

from tocsin.app.rules.look_tables import LANE_LOOKS, PLATFORM_RUNS, RULE_WATCHES
from tocsin.app.rules.rule_digests import rule_digests, set_digest
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.event import EventBatch
from tocsin.store.state import Utc

DECIDED = "decided"
"""A watch ended because somebody put the rule out of force."""
PAUSED = "budget"
"""A watch ended because the rule, or one it builds on, was over its budget, or an expression of it."""
NO_LANE = ""
"""The lane of records that were set aside before anyone could tell it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATENESS_US = (Limits().lateness or timedelta(hours=1)) // timedelta(microseconds=1)


class LookLedger:
    """Every method works in the caller's transaction. For one thread at a time.

    An event is late when it is an hour or more behind the foremost of its lane: match rules look
    at it all the same, rules over several events may have closed their windows.
    """

    def __init__(self) -> None:
        self._rules = ""
        self._change = 0
        self._started_at = _EPOCH
        self._is_noted = False
        self._rows: dict[tuple[str, str], int] = {}
        self._foremost: dict[tuple[str, str], int] = {}

    def open(self, tx: Connection, ruleset: RuleSet, since: datetime, now: datetime) -> None:
        """These rules are in force; ``since`` as for ``change``.

        It counts as a run of the platform, begun at ``now``, from the first ``beat`` or ``add``
        on: a command that only reads the data folder does not end a time without the platform.
        """
        self.change(tx, ruleset, since)
        self._started_at, self._is_noted = now, False

    def beat(self, tx: Connection, now: datetime) -> None:
        """The platform is up."""
        run = PLATFORM_RUNS.c.started_at == self._started_at
        seen = tx.execute(update(PLATFORM_RUNS).where(run).values(seen_at=now))
        if not seen.rowcount:
            begun = {"started_at": self._started_at, "seen_at": now}
            tx.execute(insert(PLATFORM_RUNS).values(begun))

    def change(
        self,
        tx: Connection,
        ruleset: RuleSet,
        since: datetime,
        paused: Collection[str] = frozenset(),
    ) -> None:
        """Other rules are in force for what was received from ``since`` on; ``paused`` ones don't look."""
        digests = {
            rule_id: digest
            for rule_id, digest in rule_digests(ruleset).items()
            if rule_id not in paused
        }
        columns = RULE_WATCHES.c
        query = select(columns.number, columns.rule_id, columns.digest)
        open_ones = {
            row.rule_id: (row.number, row.digest)
            for row in tx.execute(query.where(columns.until.is_(None)))
        }
        gone: dict[str, list[int]] = {}
        for rule_id, (number, digest) in open_ones.items():
            if digests.get(rule_id) != digest:
                cause = PAUSED if rule_id in paused else DECIDED if rule_id in ruleset.out else ""
                gone.setdefault(cause, []).append(number)
        new = [one for one in digests if open_ones.get(one, (0, ""))[1] != digests[one]]
        changes = select(func.max(columns.since_change), func.max(columns.until_change))
        latest = max((one for one in tx.execute(changes).one() if one is not None), default=0)
        self._change = latest + 1 if gone or new else latest
        until = case((columns.since > since, columns.since), else_=since)
        for cause, numbers in gone.items():
            ended = {"until": until, "until_change": self._change, "cause": cause}
            for start in range(0, len(numbers), 500):
                of_part = columns.number.in_(numbers[start : start + 500])
                tx.execute(update(RULE_WATCHES).where(of_part).values(ended))
        begun = {"since": since, "since_change": self._change}
        fresh = [{"rule_id": one, "digest": digests[one], "cause": "", **begun} for one in new]
        if fresh:
            tx.execute(insert(RULE_WATCHES), fresh)
        self._rules = set_digest(digests)
        self._rows.clear()

    def pause(
        self,
        tx: Connection,
        ruleset: RuleSet,
        batches: Sequence[EventBatch],
        paused: Collection[str],
    ) -> None:
        """Rules began to pause while they looked at ``batches``, which they have not seen whole."""
        received = [pc.min(one.ingested_at).as_py() for one in batches if len(one)]
        self.change(tx, ruleset, min(received, default=datetime.now(UTC)), paused)

    def forget(self) -> None:
        """The transaction failed: what was added in it is not there."""
        self._rows.clear()
        self._is_noted = False

    def add(self, tx: Connection, batches: Sequence[EventBatch], skipped: dict[str, int]) -> None:
        """What a turn looked at, and by tenant the records that never got so far."""
        looked = [self._looked_at(batch) for batch in batches if len(batch)]
        now = datetime.now(UTC)
        if looked and not self._is_noted:
            self.beat(tx, now)
            self._is_noted = True
        for tenant, count in skipped.items():
            spans = {"since": now, "until": now, "first_time": now, "last_time": now}
            looked.append(((tenant, NO_LANE), {**spans, "events": 0, "late": 0, "skipped": count}))
        grown = []
        for key, facts in looked:
            number = self._rows.get(key)
            if number is not None:
                grown.append({f"of_{name}": value for name, value in facts.items()})
                grown[-1]["of_number"] = number
                continue
            place = {"tenant": key[0], "lane": key[1], "rules": self._rules}
            row = {**place, "change": self._change, **facts}
            made = tx.execute(insert(LANE_LOOKS).values(row))
            self._rows[key] = int(made.inserted_primary_key[0])  # type: ignore[index]
        if grown:
            tx.execute(_GROW, grown)

    def _looked_at(self, batch: EventBatch) -> tuple[tuple[str, str], dict[str, Any]]:
        key = (batch.tenant, batch.lane.id)
        times = batch.times.cast(pa.int64()).to_numpy(zero_copy_only=False)
        first, last = int(times.min()), int(times.max())
        bound = self._foremost.get(key, last) - _LATENESS_US
        late = int(np.count_nonzero(times < bound)) if first < bound else 0
        self._foremost[key] = max(last, self._foremost.get(key, last))
        received = batch.ingested_at.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return key, {
            "since": _moment(int(received.min())),
            "until": _moment(int(received.max())),
            "first_time": _moment(first),
            "last_time": _moment(last),
            "events": len(batch),
            "late": late,
            "skipped": 0,
        }


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _grow() -> Update:
    """Adds to a row; built once, as building it takes longer than running it."""
    columns = LANE_LOOKS.c
    names = ("of_since", "of_until", "of_first_time", "of_last_time")
    since, until, first, last = (bindparam(name, type_=Utc) for name in names)
    return (
        update(LANE_LOOKS)
        .where(columns.number == bindparam("of_number"))
        .values(
            since=case((columns.since > since, since), else_=columns.since),  # a clock set back
            until=case((columns.until < until, until), else_=columns.until),
            first_time=case((columns.first_time > first, first), else_=columns.first_time),
            last_time=case((columns.last_time < last, last), else_=columns.last_time),
            events=columns.events + bindparam("of_events"),
            late=columns.late + bindparam("of_late"),
            skipped=columns.skipped + bindparam("of_skipped"),
        )
    )


_GROW = _grow()
