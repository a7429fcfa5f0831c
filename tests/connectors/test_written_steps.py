"""The steps docs/mapping.md gives a newcomer work as they are written."""

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.decode import decode
from tocsin.normalize.check import check_folder, write_expected

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mapping.md"
SAMPLE = '{"badge": 7, "door": "north", "controller": "DOOR-1", "at": "2026-06-30T08:00:00Z"}'


def test_the_example_of_the_page_is_a_whole_connector(
    tmp_path: Path, validate: Callable[[dict[str, Any]], list[str]]
) -> None:
    (block,) = re.findall(r"^ +```yaml\n(.*?)^ +```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    folder = tmp_path / "door"
    (folder / "samples").mkdir(parents=True)
    (folder / "mapping.yml").write_text(textwrap.dedent(block))
    (folder / "samples" / "swipe.json").write_text(SAMPLE)
    write_expected(folder, decode, mapping_paths())
    assert check_folder(folder, decode, validate, mapping_paths()) == []
