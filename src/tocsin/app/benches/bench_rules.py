"""Measures what rule sets see: techniques of recorded attacks, and how loud they are."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.app.coverage.attack_samples import AttackSample, SampleError, attack_samples
from tocsin.app.coverage.sample_techniques import is_seen
from tocsin.app.home.machine import machine_facts, peak_rss_mb
from tocsin.app.home.shipped import open_normalizer
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.decode import decode
from tocsin.model.event import EventBatch
from tocsin.model.record import Origin, RawBatch
from tocsin.model.severity import Level
from tocsin.normalize.normalizer import Normalizer

PER_EVENTS = 100_000

Progress = Callable[[str, int, int], None]
Label = tuple[str, str]


@dataclass(slots=True)
class _Seen:
    """What one rule set told of the recordings."""

    engine: Engine
    by_level: Counter[Level] = field(default_factory=Counter)
    loudest: Counter[str] = field(default_factory=Counter)
    fired: dict[str, set[str]] = field(default_factory=dict)

    def take(self, sample: str, batch: EventBatch) -> None:
        ruleset = self.engine.ruleset
        for hit in self.engine.evaluate(batch):
            if hit.rule.id in ruleset.silent:
                continue
            count = len(hit.rows)
            self.by_level[hit.rule.level] += count
            if hit.rule.level.rank >= Level.HIGH.rank:
                self.loudest[hit.rule.title] += count
            self.fired.setdefault(sample, set()).add(hit.rule.id)


def bench_rules(
    rule_sets: Mapping[str, Sequence[Path]],
    samples: Sequence[Path],
    *,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Run each rule set alone over the recorded attacks in ``samples`` and compare.

    ``technique_recall`` is over labels, a label being a recording and a technique it shows: the
    part for which a rule fired on that recording that is tagged with the technique, its parent
    or a child of it. ``techniques_seen`` counts techniques seen in at least one recording,
    ``recordings_seen`` recordings in which any rule fired, ``recordings_seen_medium`` in which
    one of medium or above did, whatever its tag. ``high_per_100k`` are findings (rule and event)
    of level high or critical for 100,000 events; in recordings of attacks many are deserved, so
    it compares loudness and is no rate of false alarms. Match rules only: correlations and new
    terms need a longer time than a recording has. Labels come from the index of the recordings
    or their names (see ``sample_techniques``). ``on_progress(what, done, total)``.
    Raises ``SampleError`` when there is nothing to run or to run over.
    """
    if not rule_sets:
        raise SampleError("no rule set is given; name at least one folder of rules")
    seen, loaded = {}, {}
    for done, (name, paths) in enumerate(rule_sets.items()):
        _tell(on_progress, f"loading {name}", done, len(rule_sets))
        loaded[name] = load_rules(paths, cache=cache)
        if not loaded[name].rules:
            raise SampleError(f"{', '.join(map(str, paths))}: no match rules for {name}")
        seen[name] = _Seen(Engine(loaded[name]))
    events = 0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        _tell(on_progress, "unpacking", 0, 1)
        found = attack_samples(samples, Path(folder))
        for sample, batch in _batches(found, on_progress):
            events += len(batch)
            for one in seen.values():
                one.take(sample.name, batch)
    labels = [(sample.name, technique) for sample in found for technique in sample.techniques]
    return {
        "bench": "rules",
        "samples": [str(path) for path in samples],
        "recordings": len(found),
        "recordings_labeled": sum(1 for sample in found if sample.techniques),
        "labels": len(labels),
        "techniques": len({technique for _, technique in labels}),
        "events": events,
        "seconds": round(time.perf_counter() - began, 3),
        "rule_sets": {
            name: _result(loaded[name], one, labels, len(found), events)
            for name, one in seen.items()
        },
        "unseen_by_all": sorted(
            {technique for _, technique in labels}.difference(
                *(_techniques_seen(loaded[name], one, labels) for name, one in seen.items())
            )
        ),
        "peak_rss_mb": peak_rss_mb(),
        "machine": machine_facts(),
    }


def _batches(
    samples: Sequence[AttackSample], on_progress: Progress | None
) -> Iterator[tuple[AttackSample, EventBatch]]:
    normalizer = open_normalizer()
    now = datetime.now(UTC)
    for done, sample in enumerate(samples):
        _tell(on_progress, sample.name, done, len(samples))
        for batch in _read(sample, normalizer, now):
            yield sample, batch
    _tell(on_progress, "done", len(samples), len(samples))


def _read(sample: AttackSample, normalizer: Normalizer, now: datetime) -> Iterator[EventBatch]:
    for number, item in enumerate(read_paths(sample.paths, None, now)):
        if not isinstance(item, RawBatch):
            continue  # unreadable: no event for any rule set
        decoded = decode(item)
        if decoded.records:
            origin = Origin(item.source, item.received_at, item.place, number, item.place)
            yield from normalizer.normalize(decoded, origin)


def _result(
    ruleset: RuleSet, seen: _Seen, labels: Sequence[Label], recordings: int, events: int
) -> dict[str, Any]:
    hits = [label for label in labels if _is_seen(ruleset, seen, label)]
    high = seen.by_level[Level.HIGH] + seen.by_level[Level.CRITICAL]
    medium = {rule.id for rule in ruleset.all_rules() if rule.level.rank >= Level.MEDIUM.rank}
    all_techniques = {tag for rule in ruleset.all_rules() for tag in _techniques(rule.tags)}
    return {
        "rules": len(ruleset.rules),
        "rules_fired": len({rule_id for fired in seen.fired.values() for rule_id in fired}),
        "techniques_covered": len(all_techniques),
        "technique_recall": _part(len(hits), len(labels)),
        "labels_seen": len(hits),
        "techniques_seen": len({technique for _, technique in hits}),
        "recordings_seen": len(seen.fired),
        "recordings_seen_medium": sum(1 for fired in seen.fired.values() if fired & medium),
        "recordings_seen_part": _part(len(seen.fired), recordings),
        "high_findings": high,
        "high_per_100k": round(high * PER_EVENTS / events, 1) if events else 0.0,
        "findings_by_level": {str(level): seen.by_level[level] for level in Level},
        "loudest_high": dict(seen.loudest.most_common(10)),
    }


def _techniques_seen(ruleset: RuleSet, seen: _Seen, labels: Iterable[Label]) -> set[str]:
    return {label[1] for label in labels if _is_seen(ruleset, seen, label)}


def _is_seen(ruleset: RuleSet, seen: _Seen, label: Label) -> bool:
    sample, technique = label
    fired = (ruleset.rule(rule_id) for rule_id in seen.fired.get(sample, ()))
    tagged = {tag for rule in fired if rule is not None for tag in _techniques(rule.tags)}
    return is_seen(technique, frozenset(tagged))


def _techniques(tags: Iterable[str]) -> Iterator[str]:
    for tag in tags:
        name = tag.lower().removeprefix("attack.")
        if tag.lower().startswith("attack.t") and name[1:2].isdigit():
            yield name.upper()


def _part(count: int, total: int) -> float:
    return round(count / total, 3) if total else 0.0


def _tell(on_progress: Progress | None, what: str, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(what, done, total)
