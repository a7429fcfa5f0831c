"""``tocsin sources test`` knows the mappings of the data folder, and says which can't be used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tocsin.app.home import own_mappings
from tocsin.connectors.catalog import mapping_paths

DOOR = """connector: door
vendor: Example
product_name: Door
product: door
recognize: {badge: {present: true}}
shapes:
  - {name: swipe, class: base_event}
"""


def test_one_s_own_mappings_count(
    tocsin: Callable[..., Ran], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [path for path in mapping_paths() if path.parent.name == "linux"]
    monkeypatch.setattr(own_mappings, "mapping_paths", lambda: few)
    for name, text in {"door": DOOR, "gate": "shapes: 3"}.items():
        (home / "mappings" / name).mkdir(parents=True)
        (home / "mappings" / name / "mapping.yml").write_text(text)
    sample = tmp_path / "swipe.json"
    sample.write_text('{"badge": "b-1"}\n')
    told = tocsin("sources", "test", sample, "--json")
    assert (told.code, told.json["lanes"]) == (0, {"door.swipe": 1})
    assert "gate/mapping.yml:1:" in told.err.replace("\n", "")
