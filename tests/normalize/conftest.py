"""The OCSF schema that mappings are held to."""

from typing import Any

import pytest
from ocsf_json_schema import get_ocsf_schema

from tocsin.normalize.ocsf_version import OCSF_VERSION


@pytest.fixture(scope="session")
def ocsf_schema() -> dict[str, Any]:
    schema: dict[str, Any] = get_ocsf_schema(OCSF_VERSION)
    return schema
