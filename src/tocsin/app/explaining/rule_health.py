"""What is known of the health of every rule: whether it can match, and what keeps it from it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.app.plain import as_json
from tocsin.detect.explaining.reach import Reach
from tocsin.model.rule import Rule, RuleProblem

ABLE = "can_match"
REFUSED = "refused"
NOTED = "noted"


def reach_facts(reach: Reach | None) -> dict[str, Any]:
    """A verdict as JSON; None is of a rule that needs no events.

    ``obstacle`` is empty or one of ``no_lane no_source unseen_field base``.
    """
    if reach is None:
        return {ABLE: True, "obstacle": "", "reason": "", "sources": [], "fields": []}
    return {
        ABLE: reach.can_match,
        "obstacle": reach.obstacle.name.lower() if reach.obstacle else "",
        "reason": reach.reason,
        "sources": list(reach.sources),
        "fields": list(reach.fields),
    }


@dataclass(frozen=True, slots=True)
class Slow:
    """Rules with an expression that took too long, by id, since the start of the process.

    ``unfinished`` are values not looked at to the end; of ``paused`` ones none is at present.
    """

    unfinished: Mapping[str, int] = field(default_factory=dict)
    paused: Collection[str] = ()

    def notes(self) -> Iterator[tuple[str, str]]:
        """A rule's id and what is to be said of it."""
        for rule_id in {*self.unfinished, *self.paused}:
            count = self.unfinished.get(rule_id, 0)
            state = "paused" if rule_id in self.paused else "slow"
            yield (
                rule_id,
                f"{state}: an expression takes too long; {count:,} values were not looked at to "
                "the end and count as not matching; write it without lookaround or backreference",
            )


def rule_health(
    rules: Iterable[Rule],
    problems: Sequence[RuleProblem],
    verdicts: Mapping[str, Reach],
    slow: Slow,
) -> dict[str, Any]:
    """Every rule with its verdict, those that can't match first; refused documents; counts.

    ``notes`` of a rule in force are its problems: an exception that fails, a newer text that
    can't be used, an expression that takes too long (``is_paused``: it is not searched for now).
    """
    running = {rule.id: rule for rule in rules}
    refused = [one for one in problems if one.rule_id not in running]
    notes: dict[str, list[str]] = {}
    for problem in problems:
        if problem.rule_id in running:
            place = f"{problem.path}:{problem.line}: " if problem.line else ""
            notes.setdefault(problem.rule_id, []).append(f"{place}{problem.reason}")
    for rule_id, note in slow.notes():
        if rule_id in running:
            notes.setdefault(rule_id, []).append(note)
    listed: list[dict[str, Any]] = [
        {
            "id": rule.id,
            "title": rule.title,
            "level": rule.level.value,
            "kind": rule.kind.value,
            "path": rule.path,
            "reach": reach_facts(verdicts.get(rule.id)),
            "notes": notes.get(rule.id, []),
            "is_paused": rule.id in slow.paused,
        }
        for rule in sorted(running.values(), key=lambda rule: (-rule.level.rank, rule.title))
    ]
    listed.sort(key=lambda one: (one["reach"][ABLE], not one["notes"]))
    counts = Counter(one["reach"]["obstacle"] or ABLE for one in listed)
    counts[REFUSED], counts[NOTED] = len(refused), len(notes)
    return {"rules": listed, "refused": as_json(refused), "counts": dict(counts.most_common())}


def narrowed(health: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    """Only what ``wanted`` names: an id, a title or the path of a file, in any letter case."""
    asked = wanted.casefold()

    def named(*names: str) -> bool:
        return any(name.casefold() == asked for name in names if name)

    rules = [one for one in health["rules"] if named(one["id"], one["title"], one["path"])]
    refused = [one for one in health["refused"] if named(one["rule_id"], one["title"], one["path"])]
    counts = Counter(one["reach"]["obstacle"] or ABLE for one in rules)
    counts[REFUSED], counts[NOTED] = len(refused), sum(bool(one["notes"]) for one in rules)
    return {"rules": rules, "refused": refused, "counts": dict(counts)}
