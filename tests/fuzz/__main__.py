"""``python -m tests.fuzz --cases 200000 [--only NAME,NAME] [--output FILE]``: every decoder, thoroughly.

What breaks a decoder is written to ``tests/fuzz/seeds/<decoder>/``, where the quick tests find it.
Prints JSON, a line a decoder; exit 1 when something broke.
"""

import argparse
import hashlib
import json
import math
import resource
import sys
import time
from pathlib import Path
from typing import Any

from tests.fuzz import samples
from tests.fuzz.grpc_lane import close_lane
from tests.fuzz.targets import SEEDS, Target, targets

SLOW_S = 2.0
"""Processor time of one call that counts as a hang, where it takes one case."""
SLOW_CASE_S = 0.002
"""What each further case of a call may add to that."""


def fuzz(target: Target, cases: int, seed: int, longest_s: float = math.inf) -> dict[str, Any]:
    """How ``cases`` went, or as many as ``longest_s`` of processor time are enough for.

    The broken ones are kept.
    """
    mutator = target.mutator(seed)
    done, slowest_s, broken, started = 0, 0.0, [], time.process_time()
    while done < cases and time.process_time() - started < longest_s:
        given = [mutator.case() for _ in range(min(target.at_once, cases - done))]
        done += len(given)
        before = time.process_time()
        fault = target.fault(given)
        took_s = time.process_time() - before
        slowest_s = max(slowest_s, took_s)
        if fault or took_s > SLOW_S + SLOW_CASE_S * (len(given) - 1):
            reason = fault or f"took {took_s:.1f} s of processor time"
            broken.append(_kept(target, target.smallest(given) if fault else given, reason))
            if len(broken) >= 20:
                break
    return {
        "target": target.name,
        "cases": done,
        "cpu_s": round(time.process_time() - started, 1),
        "slowest_call_ms": round(slowest_s * 1000, 1),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "broken": broken,
    }


def _kept(target: Target, given: list[bytes], reason: str) -> dict[str, str]:
    content = b"\n".join(given)
    path = SEEDS / target.name / hashlib.sha256(content).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"seed": path.name, "reason": reason[:500]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=math.inf, help="of processor time each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="targets whose names begin so, NAME,NAME")
    parser.add_argument("--part", default="0/1", help="n/m: every m-th target from the n-th")
    parser.add_argument("--evtx", type=Path, help="folder of Windows event logs to begin with")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    if asked.evtx:
        found = sorted(asked.evtx.rglob("*.evtx"), key=lambda path: path.stat().st_size)
        samples.MORE_EVTX += found[:20]
    beginnings = tuple(asked.only.split(","))
    first, step = map(int, asked.part.split("/"))
    chosen = [one for one in targets() if one.name.startswith(beginnings)][first::step]
    is_sound = True
    for target in chosen:
        told = json.dumps(fuzz(target, asked.cases, asked.seed, asked.seconds))
        is_sound = is_sound and told.endswith('"broken": []}')
        sys.stdout.write(told + "\n")
        sys.stdout.flush()
        if asked.output:
            with asked.output.open("a") as file:
                file.write(told + "\n")
    close_lane()
    return 0 if is_sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
