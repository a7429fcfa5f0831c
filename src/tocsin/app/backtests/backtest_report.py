"""What a backtest has to say, as one document: for the terminal, the API and the console."""

from collections import Counter
from datetime import datetime
from typing import Any

from tocsin.app.backtests.backtest import BacktestCounts, BacktestPlan
from tocsin.app.backtests.backtest_tally import RuleTally
from tocsin.app.plain import as_json
from tocsin.model.alert import Disposition
from tocsin.model.rule import Rule
from tocsin.triage.earlier_dispositions import Dispositions

_MOST_LISTED = 20
_DAY_S = 86_400.0


def backtest_report(
    plan: BacktestPlan, counts: BacktestCounts, earlier: Dispositions
) -> dict[str, Any]:
    """``rules`` holds every rule that would make findings, the loudest first.

    Of each: ``per_day`` (ISO date to findings, UTC), ``findings_per_day`` over the range gone
    through, the twenty ``entities`` and ``sources`` with most findings, what exceptions
    ``hidden``, what was said of ``earlier`` alerts of the rule (about the same entities, and
    about any), its own ``cpu_s`` and the first events as ``samples``. ``damage`` tells what could
    not be read.
    """
    tallies = _with_standing(counts, plan.samples)
    silent = plan.ruleset.silent_verdicts
    told = [
        rule for rule in plan.ruleset.all_rules() if rule.id not in silent or rule.id in tallies
    ]
    days = max((counts.reached - counts.began).total_seconds() / _DAY_S, 1 / 24)
    rules = [
        _of_rule(rule, tallies.get(rule.id, RuleTally()), counts, earlier, days) for rule in told
    ]
    rules.sort(key=lambda one: -one["findings"])
    found = sum(one["findings"] for one in rules)
    return {
        "from": as_json(plan.start),
        "to": as_json(plan.end),
        "began": as_json(counts.began),
        "reached": as_json(counts.reached),
        "is_complete": counts.done,
        "events": counts.events,
        "findings": found,
        "findings_per_day": round(found / days, 2),
        "per_day": dict(sorted(_summed(tallies).items())),
        "levels": dict(Counter({one["level"]: 0 for one in rules}) + _levels(rules)),
        "seconds": round(counts.seconds, 3),
        "events_per_s": round(counts.events / counts.seconds) if counts.seconds else 0,
        "cpu_s": round(counts.cpu_s, 3),
        "cpu_s_per_million_events": _per_million(counts.cpu_s, counts.events),
        "damage": as_json(list(counts.damage.values())),
        "rules": rules,
    }


def _of_rule(
    rule: Rule, tally: RuleTally, counts: BacktestCounts, earlier: Dispositions, days: float
) -> dict[str, Any]:
    cpu_s = counts.cpu_s_by_rule.get(rule.id, 0.0)
    return {
        "id": rule.id,
        "title": rule.title,
        "level": rule.level.value,
        "kind": rule.kind.value,
        "findings": tally.findings,
        "findings_per_day": round(tally.findings / days, 2),
        "per_day": dict(sorted(tally.days.items())),
        "entities": _listed(tally.entities, "entity"),
        "entity_count": len(tally.entities),
        "entities_from": tally.looked_up,
        "sources": _listed(tally.sources, "source"),
        "hidden": sum(tally.hidden.values()),
        "hidden_by": dict(tally.hidden),
        "earlier": _said(rule.id, tally, earlier),
        "cpu_s": round(cpu_s, 4),
        "cpu_s_per_million_events": _per_million(cpu_s, counts.events),
        "samples": tally.samples,
    }


def _said(rule_id: str, tally: RuleTally, earlier: Dispositions) -> dict[str, Any]:
    """How earlier alerts of the rule were closed; shares of those a person decided, None: none."""
    every: Counter[str] = Counter()
    same: Counter[str] = Counter()
    known = 0
    for (of_rule, entity), said in earlier.items():
        if of_rule != rule_id:
            continue
        every.update(said)
        if entity in tally.entities:
            same.update(said)
            known += tally.entities[entity]
    return {
        "same_entities": _shares(same),
        "any_entity": _shares(every),
        "findings_of_known_entities": known,
    }


def _shares(said: Counter[str]) -> dict[str, Any]:
    true = said[Disposition.TRUE_POSITIVE]
    benign = said[Disposition.BENIGN_TRUE_POSITIVE]
    false = said[Disposition.FALSE_POSITIVE]
    decided = true + benign + false
    return {
        **{one.value: said[one.value] for one in Disposition},
        "true_positive_share": round(true / decided, 3) if decided else None,
        "false_positive_share": round(false / decided, 3) if decided else None,
    }


def _with_standing(counts: BacktestCounts, most_samples: int) -> dict[str, RuleTally]:
    """The tallies with the verdicts on several events that stand in the end."""
    tallies = {
        rule_id: RuleTally.from_json(one.as_json()) for rule_id, one in counts.tallies.items()
    }
    for told in sorted(counts.standing.values(), key=lambda one: str(one["time"])):
        tally = tallies.setdefault(told["rule_id"], RuleTally())
        tally.findings += 1
        tally.looked_up += 1
        tally.days[datetime.fromisoformat(told["time"]).date().isoformat()] += 1
        tally.sources[told["source"]] += 1
        tally.entities[told["entities"][0]] += 1
        if len(tally.samples) < most_samples:
            tally.samples.append(told)
    return tallies


def _summed(tallies: dict[str, RuleTally]) -> Counter[str]:
    days: Counter[str] = Counter()
    for tally in tallies.values():
        days.update(tally.days)
    return days


def _levels(rules: list[dict[str, Any]]) -> Counter[str]:
    levels: Counter[str] = Counter()
    for one in rules:
        levels[one["level"]] += one["findings"]
    return levels


def _listed(counted: Counter[str], name: str) -> list[dict[str, Any]]:
    return [{name: key, "findings": count} for key, count in counted.most_common(_MOST_LISTED)]


def _per_million(cpu_s: float, events: int) -> float:
    return round(cpu_s / events * 1e6, 4) if events else 0.0
