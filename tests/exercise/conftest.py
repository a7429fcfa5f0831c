"""The company and the walk, made once."""

import pytest

from tests.exercise.walk import Walk
from tocsin.exercise.company import Company, load_company


@pytest.fixture(scope="session")
def company() -> Company:
    return load_company()


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    return Walk(tmp_path_factory.mktemp("files"))
