"""Rules on whole-lab recordings with their background noise, and on our own samples."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.depth import DEEP
from tests.detect.pairs import Pairs
from tests.detect.recordings import batches, mordor, normalizer
from tests.places import SOURCE
from tocsin.connectors.catalog import mapping_paths
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.normalize.check import sample_files

MANY_EVENTS = (
    "cmd_wevtutil_modify_security_eventlog_path",
    "empire_getsession_dcerpc_smb_srvsvc_NetSessEnum",
    "ec2_proxy_s3_exfiltration",
    *(("psh_metasploit_stop_netprofm_eventlog_before_reboot",) if DEEP else ()),
)
"""The recordings with most events to the second of comparing; the others hold little more kinds."""


@pytest.mark.slow
def test_every_rule_on_every_event_of_lab_recordings(
    test_data: Path, tmp_path: Path, corpus: RuleSet, record_property: Callable[[str, object], None]
) -> None:
    pairs, shapes = Pairs(corpus.rules), normalizer()
    for name, file in mordor(test_data / "security-datasets", tmp_path, only=MANY_EVENTS):
        for batch in batches(file, shapes):
            pairs.compare(batch, name)
    pairs.tell(record_property)
    assert pairs.compared.differing == []
    assert pairs.compared.pairs > 2_800_000
    assert pairs.compared.hits > 100


def test_every_shipped_rule_on_every_sample_of_the_connectors(
    record_property: Callable[[str, object], None],
) -> None:
    shipped = load_rules([SOURCE / "content" / "rules"])
    assert not shipped.problems
    pairs, shapes = Pairs(shipped.rules), normalizer()
    for mapping in mapping_paths():
        for sample in sample_files(mapping.parent):
            for batch in batches(sample, shapes):
                pairs.compare(batch, sample.name)
    pairs.tell(record_property)
    assert pairs.compared.differing == []
    assert pairs.compared.pairs > 50
