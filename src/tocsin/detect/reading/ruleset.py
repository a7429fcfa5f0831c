"""All rules of some folders, with what could not be used and why."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.detect.reading.exceptions import RuleExceptions
from tocsin.detect.reading.pipeline_files import read_pipelines
from tocsin.detect.reading.reading_on_demand import reading
from tocsin.detect.reading.rule_cache import RuleCache, cache_file, digest_of, write_cache
from tocsin.detect.reading.rule_linking import link
from tocsin.detect.reading.rule_stamps import RULE_SUFFIXES
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.rule_draft import Read
from tocsin.detect.rules.schedule import Schedule
from tocsin.detect.rules.stateful_rule import NewTermsRule, StatefulRule
from tocsin.model.rule import Rule, RuleProblem


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules with distinct ids, in the order of their paths; problems with their places.

    ``rules`` are those that look at one event, ``stateful`` those that look at several (they
    take the hits of ``rules``), ``health`` those that look at measurements of the platform.
    ``silent`` are ids of rules whose hits are no findings by themselves: what a correlation (of
    matches or of other correlations) refers to without ``generate``, and the detection of a
    new-terms rule (same id as the rule). ``staged`` are ids of rules that page nobody yet,
    ``exceptions`` keep rules (by id) quiet, ``out`` are those somebody put out of force (draft,
    retired), ``schedules`` say when rules page; these come of overlays, not of files.
    """

    rules: tuple[SigmaMatchRule, ...] = ()
    problems: tuple[RuleProblem, ...] = ()
    stateful: tuple[StatefulRule, ...] = ()
    health: tuple[HealthRule, ...] = ()
    silent: frozenset[str] = frozenset()
    staged: frozenset[str] = frozenset()
    exceptions: Mapping[str, RuleExceptions] = field(default_factory=dict)
    out: frozenset[str] = frozenset()
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    _by_id: dict[str, SigmaMatchRule] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _all: dict[str, Rule] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_id.update((found.rule.id, found) for found in self.rules)
        kinds = (*self.rules, *self.stateful, *self.health)
        self._all.update((found.rule.id, found.rule) for found in kinds)

    def by_id(self, rule_id: str) -> SigmaMatchRule | None:
        """The match rule of that id, or None."""
        return self._by_id.get(rule_id)

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id whatever its kind, or None."""
        return self._all.get(rule_id)

    @property
    def silent_verdicts(self) -> frozenset[str]:
        """Ids of stateful rules whose verdicts are no findings: a correlation takes them.

        Of a new-terms rule the detection alone is silent.
        """
        return self.silent - {one.rule.id for one in self.stateful if isinstance(one, NewTermsRule)}

    def all_rules(self) -> tuple[Rule, ...]:
        """Every rule of every kind, each once."""
        return tuple(self._all.values())


def load_rules(
    paths: Sequence[Path],
    *,
    cache: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    pipelines: Sequence[Path] = (),
) -> RuleSet:
    """Read every ``.yml``/``.yaml`` file below ``paths``; what can't be used is in ``problems``.

    ``cache`` is a folder for compiled rules: with it, only new or changed files are parsed.
    ``on_progress(done, total)`` counts files. See ``rule_linking.link`` for ids given twice.
    ``pipelines`` are files of pySigma processing pipelines that every rule goes through; when one
    of them can't be used, no rule is loaded: none would mean what it should.
    """
    files, problems = rule_files(paths)
    through, broken = read_pipelines(pipelines)
    if through:
        broken += reading().broken_pipelines(through)
    if broken:
        return RuleSet(problems=(*problems, *broken))
    kept = cache_file(cache, paths, through) if cache else None
    earlier = RuleCache.read(kept) if kept else RuleCache({})
    entries: dict[str, list[Read]] = {}
    texts: dict[str, str] = {}
    found: list[Read] = list(problems)
    parsed = 0
    for done, path in enumerate(files):
        if on_progress:
            on_progress(done, len(files))
        try:
            content = path.read_bytes()
            text = content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            found.append(RuleProblem(str(path), f"can't be read as UTF-8 text: {error}"))
            continue
        digest = digest_of(content)
        read = earlier.get(digest, str(path), text)
        if read is None:
            read = reading().read_rules(text, str(path), through)
            parsed += 1
        entries[digest], texts[digest] = read, text
        found.extend(read)
    if on_progress:
        on_progress(len(files), len(files))
    if kept and (parsed or len(earlier) != len(entries)):
        write_cache(kept, entries, texts)
    linked = link(found, through)
    return RuleSet(linked.rules, linked.problems, linked.stateful, linked.health, linked.silent)


def rule_files(paths: Sequence[Path]) -> tuple[list[Path], list[RuleProblem]]:
    """Every rule file below ``paths`` in a stable order, and the paths that don't exist."""
    files: dict[Path, None] = {}
    problems = []
    for path in paths:
        if path.is_dir():
            files.update(dict.fromkeys(_files_below(path)))
        elif path.is_file():
            files[path] = None
        else:
            reason = "no such file or folder: check the path of the rules"
            problems.append(RuleProblem(str(path), reason))
    return list(files), problems


def _files_below(folder: Path) -> list[Path]:
    """Rule files below a folder, by the parts of their paths (``Path.rglob`` takes far longer)."""
    found = [
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith(RULE_SUFFIXES)
    ]
    return [path for path in map(Path, sorted(found, key=_parts)) if path.is_file()]


def _parts(path: str) -> list[str]:
    return path.split(os.sep)
