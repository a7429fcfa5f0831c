"""Puts what rules found through what people decided about them: exceptions hide, staging marks."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.matching.engine import Hit
from tocsin.detect.overlays.hidden import (
    Hidden,
    hidden_groups,
    split_findings,
    split_hits,
    split_verdicts,
)
from tocsin.detect.overlays.life_counts import count_hidden, count_staged
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.schedule import Schedule
from tocsin.model.event import EventBatch
from tocsin.model.finding import Finding


@dataclass(slots=True)
class Sieve:
    """What was sifted in one turn of the flow.

    ``moment`` is when the records came in: by it exceptions end, so that a turn that is done
    again hides the same.
    """

    ruleset: RuleSet
    moment: datetime
    hidden: list[Hidden] = field(default_factory=list)

    def hits(self, batch: EventBatch, hits: Sequence[Hit]) -> Sequence[Hit]:
        """The hits that no exception hides; correlations count no others."""
        if not self.ruleset.exceptions or not hits:
            return hits
        kept, hidden = split_hits(batch, hits, self.ruleset.exceptions, self.moment)
        self.hidden += hidden
        return kept

    def findings(self, findings: Sequence[Finding]) -> list[Finding]:
        """Findings of several events or none that no exception hides."""
        if not self.ruleset.exceptions:
            return list(findings)
        kept, hidden = split_findings(findings, self.ruleset.exceptions, self.moment)
        self.hidden += hidden
        return kept

    def verdicts(
        self, said: Sequence[Correlated], native_of: Callable[[str], Mapping[str, object]]
    ) -> list[Correlated]:
        """What correlation says that no exception hides, where no findings are made of it."""
        if not self.ruleset.exceptions:
            return list(said)
        self.silent(said)
        loud = [one for one in said if one.rule.id not in self.ruleset.silent_verdicts]
        kept, hidden = split_verdicts(loud, self.ruleset.exceptions, self.moment, native_of)
        self.hidden += hidden
        return kept

    def silent(self, said: Sequence[Correlated]) -> None:
        """Count what of verdicts that are no findings is kept from the rules that take them."""
        if not self.ruleset.exceptions:
            return
        silent = [one for one in said if one.rule.id in self.ruleset.silent_verdicts]
        self.hidden += hidden_groups(silent, self.ruleset.exceptions, self.moment)

    def hides_group(self, rule_id: str, group: Mapping[str, object]) -> bool:
        """Whether what a rule says of this group goes on to no rule that takes it.

        By exceptions that name nothing but the group's fields: which event is the last one of a
        verdict changes as events come, its group does not.
        """
        of_rule = self.ruleset.exceptions.get(rule_id)
        return of_rule is not None and bool(of_rule.find(group, self.moment, within=group.keys()))

    def marked(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings, marked as staged where they are to page nobody: by state or schedule.

        A schedule is asked about the time of the finding, so that a backlog pages as it would have.
        """
        staged, schedules = self.ruleset.staged, self.ruleset.schedules
        if not staged and not schedules:
            return list(findings)
        return [_marked(one, staged, schedules.get(one.rule_id)) for one in findings]

    def count(self, tx: Connection, findings: Sequence[Finding], now: datetime) -> None:
        """Count what was hidden and what ``findings`` are staged, in the turn's transaction."""
        if self.hidden:
            count_hidden(tx, self.hidden, now)
        if self.ruleset.staged or self.ruleset.schedules:
            count_staged(tx, findings, now)


def _marked(one: Finding, staged: Collection[str], schedule: Schedule | None) -> Finding:
    if one.rule_id in staged:
        return replace(one, staged=True)
    if schedule is None or one.retracted or schedule.pages(one.time):
        return one
    if schedule.otherwise is None:
        return replace(one, staged=True)
    lower = schedule.otherwise if schedule.otherwise.rank < one.level.rank else one.level
    return replace(one, level=lower)


def to_fold(findings: Sequence[Finding]) -> list[Finding]:
    """Those that alerts are made of. What takes an earlier finding back always is one of them."""
    return [one for one in findings if not one.staged or one.retracted]
