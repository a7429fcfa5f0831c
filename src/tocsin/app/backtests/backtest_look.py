"""One look at a stretch of history: what the rules find there, and whom it is about."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.app.backtests.backtest_tally import MOST_ENTITIES, RuleTally
from tocsin.app.flow.correlated_findings import entities_by_group
from tocsin.app.flow.identity import EntitiesOf
from tocsin.app.plain import as_json
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.matching.engine import Hit
from tocsin.detect.overlays.hidden import Hidden
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.entity import EntityKind
from tocsin.model.event import EventBatch

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Fields = Mapping[str, object]
"""Of one event, by their names."""


@dataclass(slots=True)
class Look:
    """Gathered while batches are taken in, settled with what of stored events was ``asked``.

    ``batches`` have the OCSF columns that tell whom a finding is about. ``samples`` are wanted of
    each rule, of which ``sampled`` tells how many there were before. ``verdicts`` are what standing verdicts on several events say, by finding id; an empty one
    takes the verdict of that id back.
    """

    ruleset: RuleSet
    entities_of: EntitiesOf
    samples: int
    sampled: Callable[[str], int]
    events: int = 0
    tallies: dict[str, RuleTally] = field(default_factory=dict)
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _about: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    _ocsf: dict[str, Fields] = field(default_factory=dict)
    _asked: Counter[str] = field(default_factory=Counter)
    _several: list[Correlated] = field(default_factory=list)

    def take(self, batch: EventBatch, hits: list[Hit]) -> None:
        """What the engine found in a batch; silent rules make no findings."""
        self.events += len(batch)
        told = [hit for hit in hits if hit.rule.id not in self.ruleset.silent]
        if not told:
            return
        found = [np.asarray(hit.rows, np.int64) for hit in told]
        every = np.unique(np.concatenate(found))
        times = batch.times.take(pa.array(every)).cast(pa.int64()).to_numpy(zero_copy_only=False)
        sources = batch.sources.take(pa.array(every)).dictionary_encode()
        every_code = sources.indices.to_numpy(zero_copy_only=False)
        names = sources.dictionary.to_pylist()
        for hit, rows in zip(told, found, strict=True):
            at = np.searchsorted(every, rows)
            codes = every_code[at]
            tally = self.tallies.setdefault(hit.rule.id, RuleTally())
            tally.add_days(times[at])
            for code, count in enumerate(np.bincount(codes, minlength=len(names)).tolist()):
                if count:
                    tally.sources[names[code]] += count
            self._keep_samples(hit.rule.id, batch, rows)
            self._ask_about(hit.rule.id, batch, rows, [names[code] for code in codes.tolist()])

    def hide(self, hidden: list[Hidden]) -> None:
        """Count what exceptions hid."""
        for one in hidden:
            tally = self.tallies.setdefault(one.rule_id, RuleTally())
            tally.hidden[one.exception_id] += 1

    def conclude(self, verdicts: list[Correlated]) -> None:
        """Take in what correlation says, in its order."""
        self._several += [
            one for one in verdicts if one.rule.id not in self.ruleset.silent_verdicts
        ]

    def asked(self) -> tuple[frozenset[str], frozenset[str]]:
        """Events by their ids: those to show as samples, and those it is not known whom about."""
        shown = {one["event_id"] for tally in self.tallies.values() for one in tally.samples}
        last = {one.event_ids[-1] for one in self._several if one.event_ids and not one.ocsf}
        return frozenset(shown), frozenset(last - self._ocsf.keys())

    def settle(self, native: Mapping[str, Fields], others: Mapping[str, Fields]) -> None:
        """Say whom the findings are about and show samples, with what was ``asked``.

        ``native`` fields of the ones, OCSF columns of the ``others``.
        """
        ocsf = {**others, **self._ocsf}
        for event_id, rules in self._about.items():
            for rule_id, source in rules:
                rule = self.ruleset.rule(rule_id)
                if rule is None:
                    continue
                found = self.entities_of(rule, ocsf.get(event_id, {}))
                key = found[0].key if found else f"{EntityKind.SOURCE}:{source.lower()}"
                self.tallies[rule_id].entities[key] += 1
                self.tallies[rule_id].looked_up += 1
        for tally in self.tallies.values():
            for sample in tally.samples:
                sample["fields"] = as_json(native.get(sample["event_id"], {}))
                sample["entities"] = self._named(sample, ocsf)
        for one in self._several:
            self._stand(one, ocsf)

    def _stand(self, one: Correlated, ocsf: Mapping[str, Fields]) -> None:
        if one.supersedes:
            self.verdicts[one.supersedes] = {}
        if one.retracted:
            self.verdicts[one.finding_id] = {}
            return
        last = one.event_ids[-1] if one.event_ids else ""
        about = entities_by_group(one.rule, one, one.ocsf or ocsf.get(last, {}), self.entities_of)
        self.verdicts[one.finding_id] = {
            "rule_id": one.rule.id,
            "event_id": last,
            "time": as_json(one.time),
            "source": one.source,
            "lane": one.lane,
            "entities": [entity.key for entity in about]
            or [f"{EntityKind.SOURCE}:{one.source.lower()}"],
            "because": one.because,
            "group": dict(one.group),
            "event_count": one.event_count,
        }

    def _named(self, sample: dict[str, Any], ocsf: Mapping[str, Fields]) -> list[str]:
        rule = self.ruleset.rule(sample["rule_id"])
        found = self.entities_of(rule, ocsf.get(sample["event_id"], {})) if rule else ()
        return [entity.key for entity in found]

    def _keep_samples(self, rule_id: str, batch: EventBatch, rows: Any) -> None:
        tally = self.tallies[rule_id]
        room = self.samples - len(tally.samples) - self.sampled(rule_id)
        for row in rows[: max(0, room)].tolist():
            tally.samples.append(
                {
                    "rule_id": rule_id,
                    "event_id": batch.event_ids[row].as_py(),
                    "time": as_json(_EPOCH + timedelta(microseconds=batch.times[row].value)),
                    "source": batch.sources[row].as_py(),
                    "lane": batch.lane.id,
                }
            )

    def _ask_about(self, rule_id: str, batch: EventBatch, rows: Any, sources: list[str]) -> None:
        room = max(0, MOST_ENTITIES - self._asked[rule_id])
        asked = rows[:room]
        self._asked[rule_id] += len(asked)
        ids = batch.event_ids.take(pa.array(asked)).to_pylist()
        for event_id, source in zip(ids, sources[:room], strict=True):
            self._about.setdefault(event_id, []).append((rule_id, source))
        fresh = [at for at, event_id in enumerate(ids) if event_id not in self._ocsf]
        told = batch.ocsf_rows(asked[fresh].tolist())
        self._ocsf.update(zip((ids[at] for at in fresh), told, strict=True))
