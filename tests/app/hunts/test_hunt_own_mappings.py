"""A hunt reads formats that one's own mappings know, whichever way its processes are started."""

from pathlib import Path

import pytest

from tocsin.app.hunts import hunt_processes
from tocsin.app.hunts.hunting import Hunt, HuntPlan
from tocsin.detect.reading.ruleset import load_rules

MAPPING = """\
connector: door
vendor: Example
product_name: Door
product: door
recognize: {badge: {present: true}}
time: [{field: at}]
shapes:
  - name: swipe
    logsource: {services: [swipe]}
    class: entity_management
    activity: 2
    map: {entity.name: door}
"""
RULE = """\
title: The vault is opened
id: 1c0d7c46-52b2-4c9e-a3ff-3a5d3f7f8f10
logsource: {product: door, service: swipe}
detection:
  vault: {door: vault}
  condition: vault
"""
LOG = '{"at":"2026-11-21T03:00:00Z","badge":"B-%d","door":"%s"}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mappings" / "door").mkdir(parents=True)
    (tmp_path / "mappings" / "door" / "mapping.yml").write_text(MAPPING)
    (tmp_path / "rule.yml").write_text(RULE)
    lines = [LOG % (at, "vault" if at % 10 == 0 else "main") for at in range(100)]
    (tmp_path / "door.ndjson").write_text("".join(lines))
    return tmp_path


def hits(folder: Path, mappings: Path | None, jobs: int = 1) -> int:
    plan = HuntPlan((folder / "door.ndjson",), jobs=jobs, mappings=mappings)
    with Hunt(plan) as hunt:
        return len(list(hunt.hits(load_rules([folder / "rule.yml"]))[1]))


@pytest.mark.parametrize("can_fork", [True, False])
def test_processes_know_them_too(
    folder: Path, can_fork: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hunt_processes, "can_fork", lambda: can_fork)
    assert hits(folder, folder / "mappings", jobs=2) == 10


def test_without_them_nothing_is_known_of_the_format(folder: Path) -> None:
    assert hits(folder, None) == 0
    assert hits(folder, folder / "mappings") == 10
