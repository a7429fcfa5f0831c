"""What stateful rules find in a conformance case's events, however these arrive."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conformance.case import Case
from tocsin.detect.authoring.sequence_play import START, hits_of, needed_by, play
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.correlate.oracle import Episode, Taken, episodes_of
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.stateful_rule import StatefulRule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def stateful_rule(case: Case, ruleset: RuleSet) -> StatefulRule:
    """The rule over several events that the case is about."""
    assert not ruleset.problems, ruleset.problems
    named = [one for one in ruleset.stateful if case.title in ("", one.rule.title)]
    assert len(named) == 1, f"{len(named)} stateful rules are called {case.title!r}"
    return named[0]


def in_every_order(
    ruleset: RuleSet, rule: StatefulRule, events: Sequence[Any]
) -> list[list[Correlated]]:
    """The findings when the events arrive as written, backwards, and by time."""
    orders = [list(events), list(reversed(events)), sorted(events, key=lambda event: event[0])]
    return [play(ruleset, rule, order) for order in orders]


def by_the_oracle(
    ruleset: RuleSet, rule: StatefulRule, events: Sequence[Any]
) -> list[Episode] | None:
    """What the plain evaluator finds, None for rules that take other correlations."""
    needed = needed_by(rule, ruleset)
    if len(needed.stateful) > 1:
        return None
    taken = [
        Taken(
            batch.event_ids[0].as_py(),
            (batch.times[0].as_py() - _EPOCH) // _MICROSECOND,
            frozenset(hit.rule.id for hit in hits),
            batch.native_rows([0])[0],
        )
        for batch, hits in hits_of(needed, events)
    ]
    return episodes_of(rule, taken)


def as_episode(found: Correlated) -> tuple[object, ...]:
    """A finding in the oracle's words: group, first and last time, count, measure."""
    group = (found.tenant, *(text.casefold() for _, text in found.group))
    times = ((at - _EPOCH) // _MICROSECOND for at in (found.since, found.time))
    return (group, *times, found.event_count, found.measured)


def episode_facts(episode: Episode) -> tuple[object, ...]:
    group = tuple(text.casefold() for text in episode.group)
    return (group, episode.since, episode.last, episode.count, episode.measured)


def is_as_told(found: Correlated, told: Mapping[str, Any]) -> bool:
    """Whether a finding is what the case says of it; what it doesn't say is not asked."""
    facts: dict[str, Any] = {
        "group": {name: text.casefold() for name, text in found.group},
        "measured": found.measured,
        "count": found.event_count,
        "since": (found.since - START).total_seconds(),
        "time": (found.time - START).total_seconds(),
    }
    wanted = dict(told)
    if "group" in wanted:
        wanted["group"] = {name: str(v).casefold() for name, v in wanted["group"].items()}
    return {name: facts[name] for name in wanted} == wanted
