"""Every rule of the corpus on every event of the EVTX attack samples: the oracle's verdict."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.detect.pairs import Pairs
from tests.detect.recordings import batches, evtx, normalizer
from tocsin.detect.reading.ruleset import RuleSet

pytestmark = pytest.mark.slow


def test_every_rule_on_every_event_of_the_evtx_samples(
    test_data: Path, tmp_path: Path, corpus: RuleSet, record_property: Callable[[str, object], None]
) -> None:
    pairs, shapes = Pairs(corpus.rules), normalizer()
    for source, archive in (("evtx-attack-samples", "evtx"), ("sigma-regression", "samples")):
        folder = tmp_path / source
        for name, file in evtx(test_data / source / f"{archive}.tar.xz", folder):
            for batch in batches(file, shapes):
                pairs.compare(batch, name)
    pairs.tell(record_property)
    assert pairs.compared.differing == []
    assert pairs.compared.pairs > 2_500_000
    assert pairs.compared.hits > 1_500
