"""One contract for every connector: its samples map as written, validly, and lose nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.decode import decode
from tocsin.normalize.check import check_samples, map_sample, sample_files
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer

PATHS = mapping_paths()
NAMES = [path.parent.name for path in PATHS]


def test_the_first_ten_are_there() -> None:
    assert set(NAMES) >= {
        "windows", "linux", "auditd", "aws", "zeek", "suricata", "webserver", "okta",
        "kubernetes", "github",
    }  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_samples_map_as_written(
    path: Path, normalizer: Normalizer, validate: Callable[[dict[str, Any]], list[str]]
) -> None:
    assert check_samples(path.parent, path.parent.name, normalizer, decode, validate) == []


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_the_folder_is_named_after_its_connector_and_explained(path: Path) -> None:
    assert load_mapping(path).connector == path.parent.name
    assert (path.parent / "README.md").is_file()


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_every_shape_that_is_more_than_a_service_has_a_sample(
    path: Path, normalizer: Normalizer
) -> None:
    seen = {
        found.lane
        for sample in sample_files(path.parent)
        for found in map_sample(sample, normalizer, decode)
    }
    mapping = load_mapping(path)
    unseen = {
        shape.name
        for shape in mapping.shapes
        if shape.class_name != "base_event" and f"{mapping.connector}.{shape.name}" not in seen
    }
    assert unseen == set()
