"""What there is to see of a rule's life: its state, exceptions with what they hid, and its tests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin.app.rules.exception_fields import unseen_fields
from tocsin.detect.overlays.life_counts import DayCount
from tocsin.detect.overlays.rule_update import RuleUpdate
from tocsin.detect.reading.exceptions import RuleExceptions, compile_exceptions
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.overlay import LifeState, OverlayVersion, RuleException
from tocsin.detect.rules.schedule import Schedule
from tocsin.model.rule import Rule
from tocsin.model.severity import Level


@dataclass(frozen=True, slots=True)
class ExceptionLife:
    """An exception and what it hid; ``problem`` says why it hides nothing, empty when it works.

    ``hides_tests`` are the rule's own tests that must match and whose event it would hide,
    ``unseen_fields`` those it asks for that no event the rule looks at ever had.
    """

    exception: RuleException
    has_ended: bool
    hidden: int
    days: tuple[DayCount, ...]
    problem: str = ""
    hides_tests: tuple[str, ...] = ()
    unseen_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleLife:
    """All that was decided on a rule and what came of it.

    ``level`` is the one in force, ``own_level`` the rule's (None when it is not loaded).
    ``update`` is set while the rule's text has changed in a way that conflicts with decisions.
    ``staged`` counts what it found while staged, by day.
    """

    rule_id: str
    title: str
    state: LifeState
    level: Level | None
    own_level: Level | None
    version: int
    by: str
    at: datetime | None
    notes: str
    exceptions: tuple[ExceptionLife, ...]
    staged: tuple[DayCount, ...]
    is_loaded: bool
    schedule: Schedule | None = None
    damage: str = ""
    update: RuleUpdate | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one rule in a change of state; ``refused`` says why it did not move.

    ``tests`` is how many tests of its own it passed on the way (0: it has none).
    """

    rule_id: str
    title: str
    before: LifeState
    after: LifeState
    refused: str = ""
    tests: int = 0


def life_of(
    version: OverlayVersion,
    written: RuleSet,
    at_work: RuleExceptions | None,
    hidden: Sequence[DayCount],
    staged: Sequence[DayCount],
    now: datetime,
    shown: Collection[str] = frozenset(),
) -> RuleLife:
    """Put together what is known of one rule; ``at_work`` are its exceptions in force.

    ``shown`` are fields that events it looks at ever had.
    """
    overlay = version.overlay
    rule = written.rule(overlay.rule_id)
    found = []
    for one in overlay.exceptions:
        days = tuple(day for day in hidden if day.exception_id == one.id)
        hides: list[str] = []
        problem = "" if rule is not None else "its rule is not loaded"
        if rule is not None and at_work is not None and one in at_work.exceptions:
            match = written.by_id(rule.id)
            hides = tests_hidden_by(one, at_work, match, now) if match else []
        elif rule is not None and one.expired_at is None:
            problem = _problem(one, rule)
        count = sum(day.count for day in days)
        ended = one.has_ended(now)
        found.append(
            ExceptionLife(
                *(one, ended, count, days, problem, tuple(hides)),
                unseen_fields=unseen_fields(one.fields, shown),
            )
        )
    own_level = rule.level if rule else None
    return RuleLife(
        rule_id=overlay.rule_id,
        title=rule.title if rule else "",
        state=overlay.state,
        level=overlay.level or own_level,
        own_level=own_level,
        version=version.version,
        by=version.by,
        at=version.at,
        notes=overlay.notes,
        exceptions=tuple(found),
        staged=tuple(staged),
        is_loaded=rule is not None,
        schedule=overlay.schedule,
        damage=version.damage,
    )


def tests_hidden_by(
    exception: RuleException, at_work: RuleExceptions, rule: SigmaMatchRule, now: datetime
) -> list[str]:
    """Names of the rule's tests that must match and whose event ``exception`` hides."""
    hidden = ((test, at_work.find(test.event, now)) for test in rule.tests if test.must_match)
    return [test.name for test, by in hidden if by is not None and by.id == exception.id]


def _problem(one: RuleException, rule: Rule) -> str:
    _, refused = compile_exceptions([one], rule.logsource)
    return refused[0][1] if refused else ""
