"""Keeps the rules in force the ones in the folders: changed files are taken up while all runs."""

import dataclasses
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from tocsin.app.access.audit import AuditLog
from tocsin.detect.reading.rule_stamps import Stamps, stamps_of
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.stateful_rule import CorrelationRule, StatefulRule
from tocsin.model.rule import RuleProblem
from tocsin.store.ports import StateStore

_log = structlog.get_logger()
_NAMED = 50
STAYS = "; the version loaded before stays in force"

Swap = Callable[[RuleSet], None]
"""Puts rules in force between two turns of the flow."""
LayOver = Callable[[RuleSet, RuleSet | None], RuleSet]
"""Lays what people decided over rules as their files have them; given what was in force before."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did, by rule ids.

    ``kept`` are in force in their earlier version because their file can't be used any more.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    problems: int = 0

    @property
    def is_change(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def in_words(self) -> str:
        """``2 added, 1 changed``; what stays as it was is not told."""
        parts = [
            f"{len(getattr(self, name)):,} {name}"
            for name in ("added", "changed", "removed", "kept")
            if getattr(self, name)
        ]
        if self.problems:
            parts.append(f"{self.problems:,} can't be used")
        return ", ".join(parts) or "nothing has changed"


class RuleKeeper:
    """Holds the rules in force; one reload at a time, whoever asks for it."""

    def __init__(
        self,
        paths: Callable[[], Sequence[Path]],
        cache: Path,
        state: StateStore,
        audit: AuditLog,
        lay_over: LayOver | None = None,
    ) -> None:
        """Reads the rules; ``paths`` is asked anew each time, for folders that come later."""
        self._paths = paths
        self._cache = cache
        self._state = state
        self._audit = audit
        self._one = threading.Lock()
        self._swap: Swap | None = None
        self._lay_over = lay_over or (lambda written, _: written)
        self._seen = self._files()
        self._written = self._read()
        self._ruleset = self._lay_over(self._written, None)

    @property
    def ruleset(self) -> RuleSet:
        """The rules in force, and what could not be put in force."""
        return self._ruleset

    @property
    def written(self) -> RuleSet:
        """The rules as their files have them: drafts and retired ones too, at their own levels."""
        return self._written

    def on_change(self, swap: Swap) -> None:
        """``swap`` is called with the new rules before they are shown as in force."""
        self._swap = swap

    def look(self, now: datetime) -> Reloaded | None:
        """Reload when a file has come, changed or gone since the last look."""
        if self._files() == self._seen:
            return None
        return self.reload("tocsin", now)

    def reload(self, by: str, now: datetime) -> Reloaded:
        """Read what has changed and put it in force; kept in the audit chain with who asked."""
        with self._one:
            files = self._files()
            before = self._ruleset
            written, kept = with_old_versions(self._written, self._read())
            after = self._lay_over(written, before)
            told = _compared(before, after, kept)
            if told.is_change and self._swap is not None:
                self._swap(after)
            self._ruleset, self._written, self._seen = after, written, files
            if told.is_change or before.problems != after.problems or by != "tocsin":
                self._note(told, by, now)
            return told

    def lay_over_again(self) -> None:
        """Put in force what people decided anew; no file is read. Not within a transaction."""
        with self._one:
            after = self._lay_over(self._written, self._ruleset)
            if self._swap is not None and _compared(self._ruleset, after, ()).is_change:
                self._swap(after)
            self._ruleset = after

    def _read(self) -> RuleSet:
        return load_rules(self._paths(), cache=self._cache)

    def _files(self) -> Stamps:
        return stamps_of(self._paths())

    def _note(self, told: Reloaded, by: str, now: datetime) -> None:
        detail = {
            name: list(getattr(told, name)[:_NAMED])
            for name in ("added", "changed", "removed", "kept")
        }
        with self._state.begin() as tx:
            self._audit.append(
                tx,
                actor=by,
                action="rules.reload",
                subject=told.in_words(),
                detail=json.dumps({**detail, "problems": told.problems}),
                now=now,
            )
        _log.info("rules_reloaded", by=by, told=told.in_words())


def with_old_versions(before: RuleSet, read: RuleSet) -> tuple[RuleSet, tuple[str, ...]]:
    """``read`` with the earlier version of each rule that can't be used now, and their ids.

    A problem that names its rule keeps that rule; one of a whole file keeps all that came of it.
    """
    present = {rule.id for rule in read.all_rules()}
    named = {problem.rule_id for problem in read.problems if problem.rule_id}
    whole = {problem.path for problem in read.problems if not problem.rule_id}
    kept = {
        rule.id
        for rule in before.all_rules()
        if rule.id not in present and (rule.id in named or rule.path in whole)
    }
    if not kept:
        return read, ()
    match_rules = (*read.rules, *(one for one in before.rules if one.rule.id in kept))
    stateful = _with_their_rules(
        (*read.stateful, *(one for one in before.stateful if one.rule.id in kept)), match_rules
    )
    merged = RuleSet(
        rules=match_rules,
        problems=tuple(_told(problem, before, kept) for problem in read.problems),
        stateful=stateful,
        health=(*read.health, *(one for one in before.health if one.rule.id in kept)),
        silent=read.silent | (before.silent & kept),
    )
    return merged, tuple(sorted(kept & {rule.id for rule in merged.all_rules()}))


def _with_their_rules(
    stateful: Sequence[StatefulRule], match_rules: Sequence[SigmaMatchRule]
) -> tuple[StatefulRule, ...]:
    """Those whose rules are all there; taking one away may take others with it."""
    found = list(stateful)
    while True:
        present = {one.rule.id for one in (*match_rules, *found)}
        whole = [
            one
            for one in found
            if not isinstance(one, CorrelationRule) or present.issuperset(one.rules)
        ]
        if len(whole) == len(found):
            return tuple(found)
        found = whole


def _told(problem: RuleProblem, before: RuleSet, kept: set[str]) -> RuleProblem:
    stays = problem.rule_id in kept or any(
        rule.path == problem.path and rule.id in kept for rule in before.all_rules()
    )
    return dataclasses.replace(problem, reason=problem.reason + STAYS) if stays else problem


def _compared(before: RuleSet, after: RuleSet, kept: tuple[str, ...]) -> Reloaded:
    old, new = _by_id(before), _by_id(after)
    return Reloaded(
        added=tuple(one for one in new if one not in old),
        changed=tuple(one for one in new if one in old and old[one] != new[one]),
        removed=tuple(one for one in old if one not in new),
        kept=kept,
        problems=len(after.problems),
    )


def _by_id(ruleset: RuleSet) -> dict[str, list[object]]:
    """All that is loaded under an id, and what becomes of its hits, to be compared."""
    found: dict[str, list[object]] = {}
    for one in (*ruleset.rules, *ruleset.stateful, *ruleset.health):
        of_rule = one.rule.id
        decided = (
            *(of_rule in ruleset.silent, of_rule in ruleset.staged),
            ruleset.schedules.get(of_rule),
        )
        found.setdefault(of_rule, [decided, ruleset.exceptions.get(of_rule)]).append(one)
    return found
