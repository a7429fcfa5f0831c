"""Sigma's regression suites: recordings beside a rule, and how often the rule must hit them.

A rule names its suite by ``regression_tests_path``: an ``info.yml`` (or the folder it is in) whose
``regression_tests_info`` lists samples by ``path`` with ``match_count``, the least number of hits
(none: one); of a rule over several events, of findings that stand when the sample is over. Paths are relative to a folder above the rule, or to one that is told.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tocsin.detect.authoring.rule_tests import RuleTestResult
from tocsin.detect.authoring.sequence_play import Taken, needed_by, standing_of
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.stateful_rule import StatefulRule
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.decode import decode
from tocsin.model.record import Origin, Unreadable
from tocsin.normalize.normalizer import Normalizer

_KEY = re.compile(r"^regression_tests_path:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)


def run_suites(
    ruleset: RuleSet, normalizer: Normalizer, folders: Sequence[Path] = ()
) -> list[RuleTestResult]:
    """Each sample of each rule that names a suite; ``folders`` are looked in first."""
    asked = [(one, RuleSet((one,))) for one in ruleset.rules if _KEY.search(one.rule.source_text)]
    several = [
        (one, needed_by(one, ruleset))
        for one in ruleset.stateful
        if _KEY.search(one.rule.source_text)
    ]
    return [
        result
        for one, needed in (*asked, *several)
        for result in _suite(one, needed, normalizer, folders)
    ]


def _suite(
    one: SigmaMatchRule | StatefulRule,
    needed: RuleSet,
    normalizer: Normalizer,
    folders: Sequence[Path],
) -> Iterator[RuleTestResult]:
    named = _KEY.search(one.rule.source_text)
    if named is None:
        return
    line = _line(one, named[0])
    written = str(yaml.safe_load(named[1]))
    bases = [*folders, *Path(one.rule.path).resolve().parents]
    info = _below(written, bases)
    if info is not None and info.is_dir():
        info = info / "info.yml"
    if info is None or not info.is_file():
        reason = f"{written} is in no folder above the rule: name its folder with --samples"
        yield RuleTestResult(one.rule, "regression suite", line, False, reason)
        return
    try:
        tests = _tests(yaml.safe_load(info.read_text(encoding="utf-8")))
    except (yaml.YAMLError, OSError, UnicodeDecodeError, ValueError) as error:
        reason = f"{info}: can't be read: {error}"
        yield RuleTestResult(one.rule, "regression suite", line, False, reason)
        return
    for test in tests:
        name = f"{test.get('name') or 'regression test'} ({Path(str(test['path'])).name})"
        sample = _below(str(test["path"]), [*bases, info.parent])
        least = test.get("match_count")
        reason = _failure(
            one.rule.id, needed, normalizer, sample, test["path"], 1 if least is None else least
        )
        yield RuleTestResult(one.rule, name, line, not reason, reason)


def _tests(info: Any) -> list[dict[str, Any]]:
    tests = info.get("regression_tests_info") if isinstance(info, dict) else None
    if not isinstance(tests, list) or not tests:
        raise ValueError("regression_tests_info must list at least one test")
    for at, test in enumerate(tests, 1):
        if not isinstance(test, dict) or not isinstance(test.get("path"), str):
            raise ValueError(f"test {at} needs a path")
        count = test.get("match_count")
        if count is not None and (not isinstance(count, int) or count < 0):
            raise ValueError(f"match_count of test {at} must be a number of hits")
    return tests


def _failure(
    rule_id: str,
    needed: RuleSet,
    normalizer: Normalizer,
    sample: Path | None,
    written: str,
    least: int,
) -> str:
    """Why the sample fails the test; empty when it doesn't."""
    if sample is None or not sample.is_file():
        return f"{written}: no such sample"
    engine = Engine(needed)
    events = 0
    asked = False
    taken: list[Taken] = []
    for cut in read_paths([sample], None, _RECEIVED):
        if isinstance(cut, Unreadable):
            return f"{sample}: {cut.reason}"
        origin = Origin(cut.source, cut.received_at, "regression", 0, place=str(sample))
        for batch in normalizer.normalize(decode(cut), origin):
            events += len(batch)
            asked |= any(batch.lane.accepts(rule.rule.logsource) for rule in needed.rules)
            if hits := engine.evaluate(batch):
                taken.append((batch, hits))
    several = bool(needed.stateful)
    if several:
        found = len(standing_of(needed, rule_id, taken))
    else:
        found = sum(len(hit.rows) for _, hits in taken for hit in hits)
    if found >= least:
        return ""
    told = "" if asked else ", none of the rule's log source"
    what = "findings" if several else "hits"
    return f"{found} {what} in {events} events{told}; at least {least} expected ({sample})"


def _below(written: str, bases: Sequence[Path]) -> Path | None:
    """The first of ``bases`` that holds ``written``, which may not lead out of it."""
    for base in bases:
        path = (base / written).resolve()
        if path.exists() and path.is_relative_to(base.resolve()):
            return path
    return None


def _line(one: SigmaMatchRule | StatefulRule, row: str) -> int:
    rows = one.rule.source_text.splitlines()
    return one.line + next((at for at, text in enumerate(rows) if text.startswith(row.strip())), 0)
