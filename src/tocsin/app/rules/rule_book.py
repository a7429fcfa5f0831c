"""The book of rules: what people decide about a rule, kept, put in force and told in the audit chain."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection

from tocsin.app.access.audit import AuditLog
from tocsin.app.rules.overlay_laying import OverlayLaying
from tocsin.app.rules.rule_keeper import RuleKeeper
from tocsin.app.rules.rule_life import Moved, RuleLife, life_of, tests_hidden_by
from tocsin.app.rules.rule_promotion import Tested, allow_move, refuse_failing, run_own_tests
from tocsin.detect.errors import RefusedDecision, UnknownRule
from tocsin.detect.overlays.life_counts import hidden_by_day, staged_by_day
from tocsin.detect.overlays.overlay_book import HistoryEntry, OverlayBook
from tocsin.detect.overlays.overlay_content import DamagedOverlay, read_fields
from tocsin.detect.overlays.text_book import text_digest
from tocsin.detect.reading.exceptions import compile_exceptions
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.overlay import (
    RUNNING,
    LifeState,
    Overlay,
    OverlayVersion,
    RuleException,
    Scalar,
    changes_between,
)
from tocsin.detect.rules.schedule import Schedule
from tocsin.model.identifier import new_id
from tocsin.model.rule import Rule
from tocsin.model.severity import Level
from tocsin.store.ports import StateStore, StoreError

_log = structlog.get_logger()
Change = Callable[[Overlay], Overlay]


class RuleBook:
    """Decisions on rules. Each is one version in the rule's history and in force at once.

    Every method that changes something opens a transaction of its own: call it outside of one.
    """

    def __init__(
        self,
        state: StateStore,
        audit: AuditLog,
        keeper: RuleKeeper,
        overlays: OverlayBook,
        laying: OverlayLaying,
    ) -> None:
        self._state = state
        self._audit = audit
        self._keeper = keeper
        self._overlays = overlays
        self._laying = laying
        self.shown_to: Callable[[str], frozenset[str]] = lambda _: frozenset()
        """By rule id the fields that events it looks at ever had."""
        self._known_tests: tuple[RuleSet, dict[str, Tested]] | None = None

    def life(self, rule_id: str, now: datetime | None = None) -> RuleLife:
        """All that was decided on a rule. Raises ``UnknownRule``."""
        with self._state.read() as tx:
            version = self._known(tx, rule_id)
            hidden, staged = hidden_by_day(tx, rule_id), staged_by_day(tx, rule_id)
        keeper = self._keeper
        at_work = keeper.ruleset.exceptions.get(rule_id)
        moment = now or datetime.now(UTC)
        found = life_of(
            version, keeper.written, at_work, hidden, staged, moment, self.shown_to(rule_id)
        )
        rule = self._keeper.written.rule(rule_id)
        if rule is None:
            return found
        try:
            update = self._laying.merged(version.overlay, rule)
        except StoreError as error:
            return replace(found, damage="; ".join(filter(None, (found.damage, str(error)))))
        return replace(found, update=update if update and update.conflicts else None)

    def overlays(self) -> Mapping[str, Overlay]:
        """Every overlay by rule id; a rule that is not here is active as it came."""
        with self._state.read() as tx:
            return {one.overlay.rule_id: one.overlay for one in self._overlays.all(tx)}

    def history(self, rule_id: str) -> list[HistoryEntry]:
        """What happened to a rule, latest first. Raises ``UnknownRule``."""
        with self._state.read() as tx:
            self._known(tx, rule_id)
            return self._overlays.history(tx, rule_id)

    def set_state(
        self, rule_ids: Sequence[str], state: LifeState, *, reason: str, by: str
    ) -> list[Moved]:
        """Move rules; each that can't is told with why, the others move.

        Going to staging or active runs the rule's own tests: one that fails keeps it where it is.
        """
        reason = _said(reason, "a change of state needs a reason")
        tested = self._tested(rule_ids) if state in RUNNING else {}
        now = datetime.now(UTC)
        moved: list[Moved] = []
        changes: list[tuple[OverlayVersion, Overlay, str]] = []
        with self._state.begin() as tx:
            kept = {one.overlay.rule_id: one for one in self._overlays.all(tx)}
            for rule_id in dict.fromkeys(rule_ids):
                before = kept.get(rule_id) or OverlayVersion(Overlay(rule_id))
                one = self._moved(before, state, tested)
                moved.append(one)
                if one.before is not one.after:
                    after = self._with_base(replace(before.overlay, state=state))
                    changes.append((before, after, f"{one.before.value} → {state.value}"))
            versions = self._overlays.put_many(tx, changes, by=by, now=now, reason=reason)
            told = [
                _audited(before.overlay, version, what, reason)
                for (before, _, what), version in zip(changes, versions, strict=True)
            ]
            self._audit.append_many(tx, told, actor=by, now=now)
        if changes:
            _log.info("rules_moved", state=state.value, rules=len(changes), by=by)
            self._keeper.lay_over_again()
        return moved

    def begin_as_draft(self, rule_id: str, *, reason: str, by: str) -> None:
        """Decide on a rule that is yet to come: it does not run before someone stages it."""
        draft = Overlay(rule_id, state=LifeState.DRAFT)
        with self._state.begin() as tx:
            self._put(tx, draft, what="drafted", reason=reason, by=by, now=datetime.now(UTC))

    def set_level(
        self, rule_id: str, level: Level | None, *, reason: str, by: str
    ) -> OverlayVersion:
        """Give a rule another level, or (None) its own again."""
        reason = _said(reason, "another level needs a reason")
        what = f"level {level.value}" if level else "own level"
        return self._change(
            rule_id, lambda one: replace(one, level=level), what=what, reason=reason, by=by
        )

    def set_schedule(
        self, rule_id: str, schedule: Schedule | None, *, reason: str, by: str
    ) -> OverlayVersion:
        """Say when a rule pages, or (None) that it does at any time."""
        reason = _said(reason, "a schedule needs a reason")
        what = "schedule" if schedule else "no schedule"
        return self._change(
            rule_id, lambda one: replace(one, schedule=schedule), what=what, reason=reason, by=by
        )

    def save(self, wanted: Overlay, *, seen_version: int, reason: str, by: str) -> OverlayVersion:
        """Save state, level, notes and exceptions as a whole over the version the caller had seen.

        Raises ``OverlayChanged`` when there is another by now. The state must be the one it has
        or one it may move to; who and when of exceptions that stay are kept as they were.
        """
        now = datetime.now(UTC)
        reason = _said(reason, "a change needs a reason")
        tested = self._tested([wanted.rule_id]) if wanted.state in RUNNING else {}

        def changed(before: Overlay) -> Overlay:
            if wanted.state is not before.state:
                allow_move(wanted.rule_id, before.state, wanted.state, tested)
            kept = {one.id: one for one in before.exceptions}
            exceptions = tuple(
                _as_known(one, kept.get(one.id), by, now) for one in wanted.exceptions
            )
            for one in exceptions:
                if kept.get(one.id) != one:
                    self._check(one, wanted.rule_id, now)
            return replace(wanted, exceptions=exceptions, schedule=before.schedule)

        return self._change(
            *(wanted.rule_id, changed), what="saved", reason=reason, by=by, seen=seen_version
        )

    def add_exception(
        self,
        rule_id: str,
        fields: Mapping[str, object],
        *,
        owner: str,
        reason: str,
        by: str,
        expires: datetime | None = None,
    ) -> tuple[RuleException, list[str]]:
        """Keep a rule quiet where ``fields`` hold; the rule's own tests it would hide, by name."""
        now = datetime.now(UTC)
        try:
            values: Mapping[str, tuple[Scalar, ...]] = read_fields(fields)
        except DamagedOverlay as error:
            raise RefusedDecision(f"the exception can't be used: {error}") from error
        made = RuleException(
            id=new_id("exception", now),
            owner=_said(owner, "an exception needs an owner, who is asked when it ends"),
            reason=_said(reason, "an exception needs a reason"),
            fields=values,
            expires=expires,
            created_by=by,
            created_at=now,
        )
        self._check(made, rule_id, now)
        self._change(
            *(rule_id, lambda one: one.with_exception(made)),
            what=f"exception {made.id} added",
            reason=made.reason,
            by=by,
        )
        match = self._keeper.written.by_id(rule_id)
        at_work = self._keeper.ruleset.exceptions.get(rule_id)
        return made, tests_hidden_by(made, at_work, match, now) if match and at_work else []

    def remove_exception(
        self, rule_id: str, exception_id: str, *, reason: str, by: str
    ) -> OverlayVersion:
        """Take an exception away; what it hid stays counted."""

        def without(overlay: Overlay) -> Overlay:
            if overlay.exception(exception_id) is None:
                raise RefusedDecision(f"rule {rule_id} has no exception {exception_id}")
            return overlay.without_exception(exception_id)

        what = f"exception {exception_id} removed"
        return self._change(rule_id, without, what=what, reason=reason.strip(), by=by)

    def revert(self, rule_id: str, version: int, *, reason: str, by: str) -> OverlayVersion:
        """Bring back the decisions of an earlier version, as a new version (0: none at all)."""
        reason = _said(reason, "going back needs a reason")
        with self._state.read() as tx:
            self._known(tx, rule_id)
            earlier = self._overlays.at_version(tx, rule_id, version)
        tested = self._tested([rule_id]) if earlier.state in RUNNING else {}

        def back(before: Overlay) -> Overlay:
            if earlier.state is not before.state and rule_id in tested:
                refuse_failing(tested[rule_id])
            return replace(earlier, base_digest=before.base_digest)

        what = f"reverted to version {version}"
        return self._change(rule_id, back, what=what, reason=reason, by=by)

    def settle(self, rule_id: str, *, keep_ours: bool, reason: str, by: str) -> OverlayVersion:
        """End a conflict with a changed rule text: keep what was decided, or take upstream's level."""
        rule = self._loaded(rule_id)
        digest = text_digest(rule.source_text)

        def settled(overlay: Overlay) -> Overlay:
            level = overlay.level if keep_ours else None
            return replace(overlay, level=level, base_digest=digest)

        what = "kept over a changed rule text" if keep_ours else "took over a changed rule text"
        return self._change(rule_id, settled, what=what, reason=reason.strip(), by=by)

    def expire(self, now: datetime) -> int:
        """Mark exceptions whose end has come, once and for all; how many."""
        with self._state.begin() as tx:
            ended = [
                (one, [each for each in one.overlay.exceptions if _just_ended(each, now)])
                for one in self._overlays.all(tx)
                if not one.damage
            ]
            ended = [(one, each) for one, each in ended if each]
            for version, exceptions in ended:
                overlay = version.overlay
                for each in exceptions:
                    overlay = overlay.with_exception(replace(each, expired_at=now))
                what = f"{len(exceptions)} exception{'s' if len(exceptions) > 1 else ''} expired"
                self._put(tx, overlay, what=what, reason="", by="tocsin", now=now)
        if ended:
            self._keeper.lay_over_again()
        return sum(len(each) for _, each in ended)

    def _moved(self, kept: OverlayVersion, state: LifeState, tested: Mapping[str, Tested]) -> Moved:
        """What becomes of a rule that is to move; it stays where it was when that is refused."""
        rule_id, before = kept.overlay.rule_id, kept.overlay.state
        rule = self._keeper.written.rule(rule_id)
        title = rule.title if rule else ""
        try:
            if not kept.version:
                self._loaded(rule_id)
            if before is state:
                return Moved(rule_id, title, before, state)
            allow_move(rule_id, before, state, tested)
        except (RefusedDecision, UnknownRule) as error:
            return Moved(rule_id, title, before, before, refused=str(error))
        tests = tested[rule_id].count if rule_id in tested else 0
        return Moved(rule_id, title, before, state, tests=tests)

    def _tested(self, rule_ids: Sequence[str]) -> Mapping[str, Tested]:
        """The rules' own tests; those of rules that are as they were need not run again."""
        written = self._keeper.written
        if self._known_tests is None or self._known_tests[0] is not written:
            self._known_tests = written, {}
        known = self._known_tests[1]
        known |= run_own_tests(written, [one for one in rule_ids if one not in known])
        return known

    def _change(
        self,
        rule_id: str,
        change: Change,
        *,
        what: str,
        reason: str,
        by: str,
        seen: int | None = None,
    ) -> OverlayVersion:
        """Change an overlay by what it is now, keep it and put it in force."""
        now = datetime.now(UTC)
        with self._state.begin() as tx:
            before = self._known(tx, rule_id)
            if seen is not None and seen != before.version:
                self._overlays.put(tx, before.overlay, what=what, by=by, now=now, seen_version=seen)
            after = self._with_base(change(before.overlay))
            kept = self._put(tx, after, what=what, reason=reason, by=by, now=now)
        self._keeper.lay_over_again()
        return kept

    def _put(
        self, tx: Connection, overlay: Overlay, *, what: str, reason: str, by: str, now: datetime
    ) -> OverlayVersion:
        before = self._overlays.get(tx, overlay.rule_id)
        kept = self._overlays.put(tx, overlay, what=what, by=by, now=now, reason=reason)
        if kept.version != before.version:
            told = _audited(before.overlay, kept, what, reason)
            self._audit.append_many(tx, [told], actor=by, now=now)
            _log.info("rule_decided", rule=overlay.rule_id, what=what, by=by)
        return kept

    def _with_base(self, overlay: Overlay) -> Overlay:
        """The overlay with the text it was made for, when it says none yet."""
        rule = self._keeper.written.rule(overlay.rule_id)
        if overlay.base_digest or rule is None:
            return overlay
        return replace(overlay, base_digest=text_digest(rule.source_text))

    def _check(self, exception: RuleException, rule_id: str, now: datetime) -> None:
        """Raise ``RefusedDecision`` for an exception that would not work."""
        rule = self._loaded(rule_id)
        if exception.expires is not None and exception.expires <= now:
            raise RefusedDecision(
                f"the exception would end in the past ({exception.expires.isoformat()})"
            )
        _, refused = compile_exceptions([exception], rule.logsource)
        if refused:
            raise RefusedDecision(f"the exception can't be used: {refused[0][1]}")

    def _loaded(self, rule_id: str) -> Rule:
        rule = self._keeper.written.rule(rule_id)
        if rule is None:
            raise UnknownRule(f"no rule with the id {rule_id} is loaded; see: tocsin rules list")
        return rule

    def _known(self, tx: Connection, rule_id: str) -> OverlayVersion:
        version = self._overlays.get(tx, rule_id)
        if not version.version:
            self._loaded(rule_id)
        return version


def _audited(before: Overlay, kept: OverlayVersion, what: str, reason: str) -> tuple[str, str, str]:
    """What the audit chain is told of a decision."""
    told = [one.in_words() for one in changes_between(before, kept.overlay)]
    detail = {"version": kept.version, "what": what, "reason": reason, "changes": told}
    return "rules.decide", kept.overlay.rule_id, json.dumps(detail, ensure_ascii=False)


def _said(text: str, otherwise: str) -> str:
    text = text.strip()
    if not text:
        raise RefusedDecision(otherwise)
    return text


def _just_ended(one: RuleException, now: datetime) -> bool:
    return one.expired_at is None and one.has_ended(now)


def _as_known(
    one: RuleException, known: RuleException | None, by: str, now: datetime
) -> RuleException:
    """An exception as it came in, with who made it and when, and whether it has expired.

    One that is given a new end lives again.
    """
    if known is None:
        return replace(one, created_by=by, created_at=now, expired_at=None)
    expired_at = known.expired_at if known.expires == one.expires else None
    return replace(
        one, created_by=known.created_by, created_at=known.created_at, expired_at=expired_at
    )
