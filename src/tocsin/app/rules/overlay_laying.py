"""Lays decisions over the rules of the files, and notices when a text changes under a decision."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from tocsin.detect.overlays.overlaid import apply_overlays, problem_of
from tocsin.detect.overlays.overlay_book import OverlayBook
from tocsin.detect.overlays.overlay_content import text_diff
from tocsin.detect.overlays.rule_update import RuleUpdate, update_of
from tocsin.detect.overlays.text_book import encoded, note_texts, text_digest
from tocsin.detect.reading.reading_on_demand import reading
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.overlay import Overlay, OverlayVersion
from tocsin.detect.rules.rule_draft import (
    CorrelationDraft,
    HealthDraft,
    IndicatorDraft,
    NewTermsDraft,
    Read,
)
from tocsin.detect.rules.stateful_rule import StatefulRule
from tocsin.model.rule import Rule, RuleProblem
from tocsin.store.ports import BlobStore, StateStore, StoreError


class OverlayLaying:
    """Called with the rules of the files and those in force; gives those to be put in force."""

    def __init__(self, state: StateStore, blobs: BlobStore, book: OverlayBook) -> None:
        self._state = state
        self._blobs = blobs
        self._book = book
        self._noted: RuleSet | None = None

    def __call__(self, written: RuleSet, before: RuleSet | None) -> RuleSet:
        """``written`` with the overlays laid over it; what is wrong with one is in the problems."""
        now = datetime.now(UTC)
        problems: list[RuleProblem] = []
        with self._state.begin() as tx:
            if written is not self._noted:
                self._note(tx, written, now)
            overlays = {}
            for version in self._book.all(tx):
                rule = written.rule(version.overlay.rule_id)
                title = rule.title if rule else ""
                if version.damage:
                    problems.append(problem_of(version.overlay.rule_id, version.damage, title))
                overlay = version.overlay
                if rule is not None:
                    overlay = self._taken_over(tx, version, rule, now, problems)
                overlays[overlay.rule_id] = overlay
        self._noted = written
        laid = apply_overlays(written, overlays, before)
        return replace(laid, problems=(*laid.problems, *problems)) if problems else laid

    def merged(self, overlay: Overlay, rule: Rule) -> RuleUpdate | None:
        """What changed in a rule's text since ``overlay`` was made for it; None when nothing did.

        Raises ``StoreError`` when the earlier text can't be had.
        """
        if not overlay.base_digest or overlay.base_digest == text_digest(rule.source_text):
            return None
        text = self._blobs.get(overlay.base_digest)
        if text is None:
            raise StoreError(f"the text they were made for (blob {overlay.base_digest}) is missing")
        old = next(_read(text.decode("utf-8", "surrogatepass"), rule), None)
        new = next(_read(rule.source_text, rule), None)
        return update_of(old, new, overlay) if old is not None and new is not None else None

    def _note(self, tx: Connection, written: RuleSet, now: datetime) -> None:
        bases = {one.overlay.rule_id: one.overlay.base_digest for one in self._book.all(tx)}
        for change in note_texts(tx, written):
            if bases.get(change.rule_id) == text_digest(change.before):
                self._blobs.put(encoded(change.before))
            self._book.note(
                tx,
                change.rule_id,
                what="text changed",
                diff=text_diff(change.before, change.after, change.old_path, change.path),
                text_digest=text_digest(change.after),
                now=now,
            )

    def _taken_over(
        self,
        tx: Connection,
        version: OverlayVersion,
        rule: Rule,
        now: datetime,
        problems: list[RuleProblem],
    ) -> Overlay:
        """The overlay, as made for the text there is now when the two sides don't conflict."""
        overlay = version.overlay
        digest = text_digest(rule.source_text)
        if not overlay.base_digest or overlay.base_digest == digest:
            return overlay
        try:
            update = self.merged(overlay, rule)
        except StoreError as error:
            reason = f"decisions can't be compared with the changed rule: {error}; save them again"
            problems.append(problem_of(rule.id, reason, rule.title))
            return overlay
        if update is not None and update.conflicts:
            told = "; ".join(one.in_words() for one in update.conflicts)
            reason = (
                f"the rule's text changed where you decided otherwise ({told}): yours stays in "
                "force until you settle it"
            )
            problems.append(problem_of(rule.id, reason, rule.title))
            return overlay
        if version.damage:
            return overlay
        what = "kept over a changed rule text"
        kept = replace(overlay, base_digest=digest)
        return self._book.put(tx, kept, what=what, by="tocsin", now=now).overlay


def _read(text: str, rule: Rule) -> Iterator[SigmaMatchRule | StatefulRule | HealthRule]:
    """The rule in its text alone, nothing linked: both sides of a comparison are read alike."""
    for one in reading().read_rules(text, rule.path):
        found = _kind_of(one)
        if found is not None and found.rule.id == rule.id:
            yield found


def _kind_of(one: Read) -> SigmaMatchRule | StatefulRule | HealthRule | None:
    if isinstance(one, SigmaMatchRule):
        return one
    if isinstance(one, IndicatorDraft | NewTermsDraft):
        return one.match if isinstance(one, IndicatorDraft) else one.new_terms
    if isinstance(one, CorrelationDraft):
        return one.correlation
    return one.health if isinstance(one, HealthDraft) else None
