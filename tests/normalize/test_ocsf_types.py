"""OCSF columns have the types the schema gives them, and hold only what fits."""

from typing import Any

import pyarrow as pa
import pytest

from tocsin.connectors.catalog import mapping_paths
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.ocsf_classes import CLASS_UIDS, category_uid
from tocsin.normalize.ocsf_types import fitting, type_of

_WHOLE = {"integer_t", "long_t", "port_t", "timestamp_t"}


def test_classes_are_those_of_the_schema(ocsf_schema: dict[str, Any]) -> None:
    classes = ocsf_schema["classes"]
    assert {name: told["uid"] for name, told in classes.items()} == CLASS_UIDS
    for told in classes.values():
        assert told.get("category_uid", category_uid(told["uid"])) == category_uid(told["uid"])


def test_every_mapped_column_has_the_type_the_schema_gives(ocsf_schema: dict[str, Any]) -> None:
    attributes = ocsf_schema["dictionary"]["attributes"]
    paths: set[str] = set()
    for path in mapping_paths():
        mapping = load_mapping(path)
        for mapped in [*mapping.fragments.values(), *(shape.map for shape in mapping.shapes)]:
            paths |= mapped.keys()
    for path in sorted(path for path in paths if not path.startswith("unmapped.")):
        leaf = path.rpartition(".")[2]
        told = attributes.get(leaf) or attributes.get(f"win/{leaf}")
        assert told is not None, f"{path}: OCSF has no attribute {leaf}"
        wanted = pa.types.is_integer(type_of(path)), pa.types.is_boolean(type_of(path))
        kind = told["type"]
        if kind in {"object_t", "json_t"}:
            continue
        assert wanted == (kind in _WHOLE, kind == "boolean_t"), f"{path} is {kind}"


@pytest.mark.parametrize(
    ("path", "values", "expected"),
    [
        ("user.name", ["a", "", "-"], ["a", None, None]),
        ("device.hostname", ["WS-1.Example", "b"], ["ws-1.example", "b"]),
        ("src_endpoint.ip", ["10.0.0.1", "::ffff:10.0.0.2", "fe80::1%eth0", "LOCAL"],
         ["10.0.0.1", "10.0.0.2", "fe80::1%eth0", None]),
        ("src_endpoint.port", ["443", "x", ""], [443, None, None]),
        ("src_endpoint.port", ["+443", "-1", "++1", "22"], [443, -1, None, 22]),
        ("process.pid", [7.0, 8.9, 1e30], [7, 8, None]),
        ("status_id", [1, 2**40], [1, None]),
        ("is_mfa", ["true", "No", "maybe"], [True, False, None]),
        ("user.uid", [1001, 0], ["1001", "0"]),
        ("actor.user.uid", [1.0, 2.5], ["1", "2.5"]),
        ("answers.rdata", [["a"], [1]], [["a"], ["1"]]),
    ],
)  # fmt: skip
def test_values_are_made_to_fit(path: str, values: list[object], expected: list[object]) -> None:
    array = pa.array(values) if path != "answers.rdata" else pa.array([["a"], ["1"]])
    assert fitting(path)(array).to_pylist() == expected
