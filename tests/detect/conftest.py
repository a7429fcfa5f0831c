"""The public Sigma rules, read once."""

import tarfile
from pathlib import Path

import pytest

from tocsin.detect.reading.ruleset import RuleSet, load_rules


@pytest.fixture(scope="session")
def sigma_rules(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """All of SigmaHQ's documents, the retired and unsupported ones too."""
    folder = tmp_path_factory.mktemp("sigma")
    with tarfile.open(test_data / "sigma-rules" / "rules.tar.xz", "r:xz") as archive:
        archive.extractall(folder, filter="data")
    return load_rules([folder])


@pytest.fixture(scope="session")
def corpus(sigma_rules: RuleSet) -> RuleSet:
    """The rules that are in use: neither retired nor with placeholders."""
    folders = {"rules", "rules-emerging-threats", "rules-threat-hunting"}
    return RuleSet(
        tuple(one for one in sigma_rules.rules if folders & set(Path(one.rule.path).parts))
    )
