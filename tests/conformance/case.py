"""The conformance cases, as they stand in the files of ``cases/``."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from tocsin.detect.authoring.sample_batch import lane_for
from tocsin.detect.reading.eql_import import sigma_from_eql
from tocsin.model.lane import Answer, Lane

FOLDER = Path(__file__).parent / "cases"
REFUSED_HERE = "# here"
"""Ends the line of a rule at which it must be refused."""

_KEYS = frozenset(
    {
        "feature", "says", "selection", "detection", "rules", "title", "lane", "match", "silent",
        "refused", "events", "found", "pipeline", "eql", "health", "told",
    }
)  # fmt: skip
_HEAD = """\
title: A rule
id: 5f0b7f3e-0000-4000-8000-000000000001
status: test
logsource:
  product: windows
  category: process_creation
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One statement on a feature and what proves it: rules, events, what must come of them.

    ``text`` is a rule file. ``match`` and ``silent`` are events that the rule called ``title``
    (empty: the only one) must and must not match, in ``lane``. ``refused`` is what the reason of
    a refusal must hold, at ``line``. ``events`` are (seconds, rule whose log source they are of,
    fields) in order of arrival and ``found`` what stateful rules must find in them.
    """

    feature: str
    says: str
    text: str
    file: str
    number: int
    title: str = ""
    lane: Lane = field(default_factory=lambda: lane_for("windows", "process_creation", None))
    match: tuple[dict[str, Any], ...] = ()
    silent: tuple[dict[str, Any], ...] = ()
    refused: str = ""
    line: int = 0
    events: tuple[tuple[float, str, dict[str, Any]], ...] = ()
    found: tuple[dict[str, Any], ...] | None = None
    pipeline: str = ""
    eql: str = ""
    health: dict[str, Any] = field(default_factory=dict)
    told: dict[str, bool] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``modifiers:contains:3``: file, feature and number within the file."""
        return f"{self.file}:{self.feature}:{self.number}"


def cases() -> list[Case]:
    """Every case of every file, in their order."""
    return [case for path in sorted(FOLDER.glob("*.yml")) for case in _cases_of(path)]


def _cases_of(path: Path) -> Iterator[Case]:
    text = path.read_text(encoding="utf-8")
    for number, given in enumerate(yaml.load(text, Loader=yaml.CSafeLoader), start=1):
        unknown = set(given) - _KEYS
        assert not unknown, f"{path.name} case {number}: unknown keys {sorted(unknown)}"
        yield _case(path.stem, number, given)


def _case(file: str, number: int, given: Mapping[str, Any]) -> Case:
    text = _text(given)
    lines = [at for at, row in enumerate(text.splitlines(), 1) if row.endswith(REFUSED_HERE)]
    refused = str(given.get("refused", ""))
    assert bool(refused) == bool(lines) or given.get("eql"), f"{file} {number}: mark the line"
    lane = given.get("lane", {"product": "windows", "category": "process_creation"})
    return Case(
        feature=given["feature"],
        says=given["says"],
        text=text,
        file=file,
        number=number,
        title=given.get("title", ""),
        lane=_lane(lane),
        match=tuple(given.get("match", ())),
        silent=tuple(given.get("silent", ())),
        refused=refused,
        line=lines[0] if lines else 0,
        events=tuple(
            (float(at), str(name), fields) for at, name, fields in given.get("events", ())
        ),
        found=tuple(given["found"]) if "found" in given else None,
        pipeline=given.get("pipeline", ""),
        eql=given.get("eql", ""),
        health=given.get("health", {}),
        told=given.get("told", {}),
    )


def _lane(given: Mapping[str, Any]) -> Lane:
    lane = lane_for(given.get("product"), given.get("category"), given.get("service"))
    further = [(one["product"], one.get("service")) for one in given.get("also", ())]
    also = tuple(Answer(product, (), (named,) if named else ()) for product, named in further)
    return replace(lane, also=also)


def _from_eql(given: Mapping[str, Any]) -> str:
    if "refused" in given:
        return ""
    return sigma_from_eql(given["eql"], title="Imported", product="windows")


def _text(given: Mapping[str, Any]) -> str:
    if "rules" in given:
        return str(given["rules"])
    if "eql" in given:
        return _from_eql(given)
    if "selection" in given:
        body = f"selection:\n{textwrap.indent(given['selection'].strip(), '  ')}\n"
        body += "condition: selection\n"
    else:
        body = given["detection"]
    return f"{_HEAD}detection:\n{textwrap.indent(body, '  ')}level: high\n"
