"""A loop that runs in a thread of its own, and what it has made durable."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.server_process import wait_until
from tocsin.ingest.pull.pull import Pulled, PullMeans
from tocsin.ingest.pull.pull_loop import PullLoop
from tocsin.model.intake import Intake, IntakeState
from tocsin.model.record import RawBatch, Unreadable
from tocsin.store.ports import SpoolFull


class KeptInMemory:
    """A position, and every one that was stored."""

    def __init__(self) -> None:
        self.stored: list[Mapping[str, Any]] = []

    def load(self) -> Mapping[str, Any]:
        return self.stored[-1] if self.stored else {}

    def store(self, position: Mapping[str, Any]) -> None:
        self.stored.append(dict(position))


class Spool:
    """Takes what a loop hands on; refuses while it is full."""

    def __init__(self) -> None:
        self.batches: list[RawBatch] = []
        self.asides: list[Unreadable] = []
        self.is_full = threading.Event()
        self.refused = threading.Event()

    def accept(self, batches: Sequence[RawBatch]) -> None:
        if self.is_full.is_set():
            self.refused.set()
            raise SpoolFull("the spool is full")
        self.batches.extend(batches)

    def set_aside(self, items: Sequence[Unreadable]) -> None:
        self.asides.extend(items)

    @property
    def lines(self) -> list[bytes]:
        every = (line for batch in list(self.batches) for line in batch.payload.split(b"\n"))
        return [line for line in every if line]

    def wait_for(self, count: int) -> list[bytes]:
        wait_until(lambda: len(self.lines) >= count, f"{count} records")
        return self.lines


def means(source: str = "pulled", kept: KeptInMemory | None = None, **secrets: str) -> PullMeans:
    return PullMeans(source, lambda name: secrets.get(name, ""), kept or KeptInMemory())


@contextmanager
def pulling(open_: Callable[[], Pulled], spool: Spool) -> Iterator[PullLoop]:
    """The loop runs while this is open."""
    loop = PullLoop(
        Intake("kind/name", "kind", "pulled"),
        open_,
        spool.accept,
        spool.set_aside,
        first_retry_s=0.02,
    )
    thread = threading.Thread(target=loop.run, name="pull under test")
    thread.start()
    try:
        yield loop
    finally:
        loop.stop()
        thread.join(timeout=60)
        assert not thread.is_alive(), "the loop did not end"


def wait_for_error(loop: PullLoop, *words: str) -> str:
    """The error the loop tells once it holds all words."""
    told = ""

    def fails() -> bool:
        nonlocal told
        intake = loop.look()
        told = intake.error
        return intake.state is IntakeState.FAILING and all(word in told for word in words)

    wait_until(fails, f"an error with {words}, not {told!r}")
    return told
