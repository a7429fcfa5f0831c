"""All connectors' mappings compiled once, and the OCSF schema to hold events to."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jsonschema
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from tocsin.connectors.catalog import mapping_paths
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer
from tocsin.normalize.ocsf_classes import CLASS_UIDS
from tocsin.normalize.ocsf_version import OCSF_VERSION


@pytest.fixture(scope="session")
def normalizer() -> Normalizer:
    return Normalizer([load_mapping(path) for path in mapping_paths()])


@pytest.fixture(scope="session")
def validate() -> Callable[[dict[str, Any]], list[str]]:
    """The OCSF schema's objections to an event."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(OCSF_VERSION))
    names = {uid: name for name, uid in CLASS_UIDS.items()}

    @cache
    def validator(name: str, profiles: tuple[str, ...]) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator(schema.get_class_schema(name, list(profiles)))

    def objections(event: dict[str, Any]) -> list[str]:
        asked = validator(names[event["class_uid"]], tuple(event["metadata"]["profiles"]))
        return [
            f"{'.'.join(map(str, found.absolute_path)) or 'event'}: {found.message}"
            for found in asked.iter_errors(event)
        ]

    return objections
