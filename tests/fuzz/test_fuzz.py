"""What broke a decoder once never does again, and a few new cases break none."""

from collections.abc import Iterator

import pytest

from tests.fuzz.grpc_lane import close_lane
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


def test_no_seed_is_of_a_decoder_that_is_gone() -> None:
    names = {target.name for target in targets()}
    assert {path.name for path in SEEDS.iterdir() if path.is_dir()} <= names
