"""What broke a decoder once never does again, and a few new cases break none."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.decoders import check_evtx
from tests.fuzz.grpc_lane import close_lane
from tests.fuzz.mutation import Mutator
from tests.fuzz.samples import EVTX_BYTES
from tests.fuzz.targets import SEEDS, Target, targets

CASES = 40
TARGETS = pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)


@pytest.fixture(scope="module", autouse=True)
def _closed_at_the_end() -> Iterator[None]:
    yield
    close_lane()


@TARGETS
def test_kept_seeds_break_nothing(target: Target) -> None:
    for path in sorted((SEEDS / target.name).glob("*")):
        target.check([path.read_bytes()])


@TARGETS
def test_mutated_samples_are_decoded_or_refused(target: Target) -> None:
    mutator = target.mutator(20261122)
    cases = [mutator.case() for _ in range(CASES)]
    for at in range(0, CASES, target.at_once):
        target.check(cases[at : at + target.at_once])


def test_mutated_logs_of_real_windows_are_decoded_or_refused(test_data: Path) -> None:
    with tarfile.open(test_data / "evtx-attack-samples" / "evtx.tar.xz") as archive:
        files = [one for one in archive if one.name.endswith(".evtx")]
        opened = [archive.extractfile(one) for one in sorted(files, key=lambda one: one.size)[:3]]
        seeds = [one.read(EVTX_BYTES) for one in opened if one is not None]
    mutator = Mutator(seeds, 20261122)
    for _ in range(CASES):
        check_evtx(mutator.case())


def test_no_seed_is_of_a_decoder_that_is_gone() -> None:
    names = {target.name for target in targets()}
    assert {path.name for path in SEEDS.iterdir() if path.is_dir()} <= names
