"""All that is fuzzed under one face: mutated cases go in, what is wrong with them comes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.fuzz.columns import columns_targets
from tests.fuzz.decoders import Decoder, decoders, packed_bodies
from tests.fuzz.fetched import fetched_decoders
from tests.fuzz.grpc_lane import grpc_decoders
from tests.fuzz.mappings import mapping_targets
from tests.fuzz.mutation import Mutator

SEEDS = Path(__file__).parent / "seeds"
_MAPPED_AT_ONCE = 4_000
_UNPACKED_AT_ONCE = 40
_COMPARED_AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class Target:
    """``check`` takes ``at_once`` cases and raises when something of them is lost."""

    name: str
    seeds: Sequence[bytes]
    check: Callable[[Sequence[bytes]], None]
    at_once: int = 1

    def mutator(self, seed: int) -> Mutator:
        return Mutator(self.seeds, seed)

    def fault(self, given: Sequence[bytes]) -> str:
        """What went wrong; empty when nothing did. A panic of a library in Rust is no Exception."""
        try:
            self.check(given)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def smallest(self, given: Sequence[bytes]) -> list[bytes]:
        """The fewest of the cases that break it still, halving while a half does."""
        cases = list(given)
        while len(cases) > 1:
            half = len(cases) // 2
            for part in (cases[:half], cases[half:]):
                if self.fault(part):
                    cases = part
                    break
            else:
                break
        return cases


@cache
def targets() -> list[Target]:
    mapped = [Target(one.name, one.seeds, one.check, _MAPPED_AT_ONCE) for one in mapping_targets()]
    packed = [Target(one.name, one.seeds, one.check, _UNPACKED_AT_ONCE) for one in packed_bodies()]
    both = [Target(one.name, one.seeds, one.check, _COMPARED_AT_ONCE) for one in columns_targets()]
    decoded = [*decoders(), *fetched_decoders(), *grpc_decoders()]
    return [*map(_of, decoded), *packed, *both, *mapped]


def _of(decoder: Decoder) -> Target:
    def check(given: Sequence[bytes]) -> None:
        for case in given:
            decoder.check(case)

    return Target(decoder.name, decoder.seeds, check)
