"""What each rule looks for, as a digest: equal as long as it would find the same."""

import hashlib
from collections.abc import Mapping

from tocsin.detect.matching.witness_book import fingerprint
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.stateful_rule import CorrelationRule, StatefulRule


def rule_digests(ruleset: RuleSet) -> dict[str, str]:
    """By rule id; titles, levels and tags don't enter. A rule that takes others changes with them.

    Health rules look at measurements, not at events, and are left out.
    """
    found = {one.rule.id: _of_match(one) for one in ruleset.rules}
    stateful = {one.rule.id: one for one in ruleset.stateful}
    for rule_id in stateful:
        _of_stateful(rule_id, stateful, found, set())
    return found


def set_digest(digests: Mapping[str, str]) -> str:
    """One digest of a whole rule set."""
    text = "\n".join(f"{rule_id} {digest}" for rule_id, digest in sorted(digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _of_match(one: SigmaMatchRule) -> str:
    return _hashed(fingerprint(one.condition), one.rule.logsource)


def _of_stateful(
    rule_id: str, stateful: Mapping[str, StatefulRule], found: dict[str, str], above: set[str]
) -> str:
    one = stateful[rule_id]
    if isinstance(one, CorrelationRule):
        taken = [
            _of_stateful(name, stateful, found, above | {rule_id})
            if name in stateful and name not in above
            else found.get(name, "")
            for name in one.rules
        ]
        aliases = sorted((name, sorted(of.items())) for name, of in one.aliases.items())
        facts = (one.type.value, one.timespan, one.group_by, aliases, one.bounds, one.fields)
        digest = _hashed(taken, facts, one.percentile)
    else:
        before = found.get(rule_id, "")
        digest = _hashed(before, one.fields, one.window, one.learning, one.group_by)
    if not above:
        found[rule_id] = digest
    return digest


def _hashed(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
