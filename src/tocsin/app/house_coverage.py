"""Coverage of a wired house: its rules, what comes in, its alerts, and rules it could have."""

from datetime import datetime, timedelta

from tocsin.app.rule_coverage import Coverage, coverage_of, gaps_of
from tocsin.app.shipped import CONTENT, rule_paths
from tocsin.app.wiring import Tocsin
from tocsin.detect.ruleset import load_rules
from tocsin.triage.technique_sightings import techniques_seen


def house_coverage(house: Tocsin, days: int, now: datetime) -> Coverage:
    """``days`` is how far back alerts count.

    Gaps also know the shipped rules that are not in force, and those retired or in draft.
    """
    with house.state.read() as tx:
        seen = techniques_seen(tx, now - timedelta(days=days))
        fields = house.reach.fields(tx)
    ruleset, verdicts = house.ruleset, house.reach.verdicts()
    covered = coverage_of(ruleset, verdicts, seen, days)
    paths = dict.fromkeys([*rule_paths(house.settings), CONTENT / "rules"])
    known = load_rules(list(paths), cache=house.settings.home / "cache" / "rules").all_rules()
    gaps = gaps_of(covered, known, verdicts, house.normalizer.lanes, fields)
    return Coverage(covered, gaps, days)
