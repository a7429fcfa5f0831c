"""Fills the gaps of rules by itself, in the background, one stretch after the other."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection, func, select

from tocsin.app.backtests.rule_fill import House, RuleFill
from tocsin.app.rules.hunt_selection import selected
from tocsin.app.rules.look_ledger import DECIDED
from tocsin.app.rules.look_tables import RULE_FILLS, RULE_WATCHES
from tocsin.app.rules.rule_choice import NoSuchRule
from tocsin.app.rules.rule_looks import Span, rule_looks

_log = structlog.get_logger()
_LOOK_INTERVAL_S = 5.0
_STRETCH = timedelta(hours=1)
"""Of receipt time, filled at once: what a restart has to do again at most."""
BY = "tocsin"
"""Who filled a gap nobody asked to be filled."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What is being filled now; ``done`` of about ``total`` stored events are gone through."""

    rule_ids: tuple[str, ...]
    since: datetime
    until: datetime
    done: int = 0
    total: int = 0


class GapFiller:
    """Looks for gaps that have ended and fills them; what was decided by a person is left to people.

    Each stretch is noted when it is done, so after a restart the rest is filled. A rule over
    several events is filled at once, and again when the windows over its gap have closed. What
    could not be read to the end is left to people, who are told of it.
    """

    def __init__(
        self, house: House, days: float, is_busy: Callable[[], bool] = lambda: False
    ) -> None:
        """Gaps older than ``days`` are left to people; nothing is begun while ``is_busy``."""
        self._house = house
        self._back = timedelta(days=days)
        self._is_busy = is_busy
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._as_of: object = None
        self._wait_until: dict[tuple[str, datetime], datetime] = {}
        self._put_off: dict[tuple[str, datetime], datetime] = {}
        self.now_filling: Filling | None = None
        self.trouble = ""

    def start(self) -> None:
        """Look every few seconds in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="gap-filling")
        self._thread.start()

    def stop(self) -> None:
        """Leave off after the batch it is at."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def waiting(self, rule_id: str) -> datetime | None:
        """Until when windows over a gap of the rule are still open."""
        found = [until for (one, _), until in self._wait_until.items() if one == rule_id]
        return max(found, default=None)

    def look(self, now: datetime) -> int:
        """Fill all gaps there are; how many stretches that were."""
        if self._back <= timedelta(0):
            return 0
        with self._house.state.read() as tx:
            as_of = _as_of(tx)
        waiting = (self._wait_until, self._put_off)
        due = [(of, key) for of in waiting for key, until in of.items() if until <= now]
        if as_of == self._as_of and not due:
            return 0
        for of, key in due:
            del of[key]
        filled = 0
        for span, rule_ids in self._gaps(now).items():
            for part in self._stretches(span, rule_ids):
                if self._stop.is_set() or self._is_busy():
                    return filled
                self._fill(part, rule_ids, now)
                filled += 1
        self._as_of = as_of if not filled else None
        return filled

    def _gaps(self, now: datetime) -> dict[tuple[datetime, datetime], list[str]]:
        """Rules by the gap they have in common, oldest gap first."""
        house = self._house
        oldest = now - self._back
        found: dict[tuple[datetime, datetime], list[str]] = {}
        with house.state.read() as tx:
            for rule_id in _interrupted(tx, oldest):
                if house.ruleset.rule(rule_id) is None:
                    continue
                needed = selected(house.ruleset, rules=[rule_id])
                sources = tuple({one.rule.logsource: None for one in needed.rules})
                for gap in rule_looks(tx, rule_id, sources, house.normalizer.lanes).gaps:
                    if self._is_ours(gap, rule_id, oldest) and gap.until is not None:
                        key = max(gap.since, oldest), gap.until
                        found.setdefault(key, []).append(rule_id)
        return dict(sorted(found.items()))

    def _is_ours(self, gap: Span, rule_id: str, oldest: datetime) -> bool:
        if gap.until is None or gap.until <= oldest or gap.cause == DECIDED:
            return False
        key = rule_id, gap.until
        return key not in self._wait_until and key not in self._put_off

    def _stretches(
        self, span: tuple[datetime, datetime], rule_ids: list[str]
    ) -> Iterator[tuple[datetime, datetime]]:
        """The gap in pieces; whole where a rule looks at several events."""
        since, until = span
        if selected(self._house.ruleset, rules=rule_ids).stateful:
            yield since, until
            return
        while since < until:
            yield since, min(since + _STRETCH, until)
            since += _STRETCH

    def _fill(self, part: tuple[datetime, datetime], rule_ids: list[str], now: datetime) -> None:
        since, until = part
        first, *others = rule_ids
        fill = RuleFill(self._house, first, since, until, tuple(others))
        self.now_filling = Filling(tuple(rule_ids), since, until)
        try:
            done = fill.run(BY, now, self._moved, self._stop.is_set)
        except NoSuchRule:
            return  # it went while the gap was looked for
        finally:
            self.now_filling = None
        if done is None:
            return
        if fill.open_until is not None:
            self._wait_until |= {(one, until): fill.open_until for one in rule_ids}
        elif done.damage:
            self._put_off |= {(one, until): now + self._back for one in rule_ids}
        if done.findings:
            told = {"rules": len(rule_ids), "findings": done.findings}
            _log.info("gap_filled", since=since, until=until, **told)

    def _moved(self, done: int, total: int) -> None:
        filling = self.now_filling
        if filling is not None:
            facts = (filling.rule_ids, filling.since, filling.until)
            self.now_filling = Filling(*facts, done, total)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_INTERVAL_S):
            try:
                self.look(datetime.now(UTC))
                self.trouble = ""
            except Exception as error:  # told, and tried again: the flow goes on
                self.trouble = f"{type(error).__name__}: {error}"
                _log.exception("gap_filling_failed", retry_s=_LOOK_INTERVAL_S)


def _as_of(tx: Connection) -> tuple[object, ...]:
    """Changes whenever a gap may have come or gone."""
    watches, fills = RULE_WATCHES.c, RULE_FILLS.c
    ended = select(func.max(watches.number), func.max(watches.until_change))
    return (*tx.execute(ended).one(), tx.execute(select(func.max(fills.number))).scalar())


def _interrupted(tx: Connection, oldest: datetime) -> list[str]:
    """Rules in force that were not for a while; edits that followed each other at once are none."""
    columns = RULE_WATCHES.c
    query = (
        select(columns.rule_id, columns.since_change, columns.until_change, columns.until)
        .where(columns.until.is_(None) | (columns.until >= oldest - timedelta(days=1)))
        .order_by(columns.rule_id, columns.number)
    )
    found: list[str] = []
    last: tuple[str, int | None] = ("", None)
    for row in tx.execute(query):
        rule_id, ended = last
        if row.rule_id == rule_id and ended is not None and ended != row.since_change:
            found.append(rule_id)
        last = row.rule_id, row.until_change
    return list(dict.fromkeys(found))
