"""Every log source the public Sigma rules ask for has a lane, or a reason why it has none."""

import tarfile
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tocsin.model.lane import LogSource
from tocsin.normalize.normalizer import Normalizer

FOLDERS = {"rules", "rules-emerging-threats", "rules-threat-hunting"}
NO_CONNECTOR_YET = {
    "huawei", "juniper", "macos", "rpc_firewall",
    # application frameworks: free text without a common form
    "django", "jvm", "nodejs", "python", "ruby_on_rails", "spring", "sql", "velocity",
}  # fmt: skip


@pytest.fixture(scope="module")
def asked(test_data: Path) -> Counter[LogSource]:
    found: Counter[LogSource] = Counter()
    with tarfile.open(test_data / "sigma-rules" / "rules.tar.xz") as archive:
        for member in archive:
            if not member.name.endswith(".yml") or not FOLDERS & set(member.name.split("/")):
                continue
            content = archive.extractfile(member)
            assert content is not None
            for rule in yaml.load_all(content, yaml.CSafeLoader):
                source = (rule or {}).get("logsource")
                if source:
                    parts = {name: source.get(name) for name in ("product", "category", "service")}
                    found[LogSource(**parts)] += 1
    return found


def test_every_log_source_finds_its_lane(asked: Counter[LogSource], normalizer: Normalizer) -> None:
    homeless = {
        source: count
        for source, count in asked.items()
        if not any(lane.accepts(source) for lane in normalizer.lanes)
    }
    explained = {source for source in homeless if source.product in NO_CONNECTOR_YET}
    assert set(homeless) == explained
    assert sum(asked.values()) - sum(homeless.values()) >= 3_650
