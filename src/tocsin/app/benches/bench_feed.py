"""Records that come in at a steady rate, as they happen, while something else is measured."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from tocsin.app.upkeep import IDLE_MERGE_INTERVAL_S, LATELY
from tocsin.app.wiring import Tocsin
from tocsin.exercise.company import load_company
from tocsin.exercise.day import later_plan
from tocsin.ingest.cutting.lines import split_lines
from tocsin.model.record import RawBatch

INGEST_PER_S = 10_000
_MADE_PER_S = 3.0
"""So many seconds of records are made in a second, on a slow machine."""
_BEGIN_S = 3.0
_WARM_UP_S = 10.0
"""Then each lane's rules are compiled, and small segments are merged for the first time."""
_SCHEMA = pa.schema([("source", pa.string()), ("payload", pa.binary())])


class RecordedFeed:
    """Records of the whole sample company, ``INGEST_PER_S`` a second, made before they are sent.

    Their times are those of their sending. When all are sent, they come again, and are late.
    """

    def __init__(self, path: Path, seconds: int) -> None:
        """``seconds`` of records are written to the file ``path``, by a process of their own.

        So what making them takes is no part of what is measured.
        """
        self._path = path
        self._start = datetime.now(UTC) + timedelta(seconds=_BEGIN_S + seconds / _MADE_PER_S)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as making:
            making.submit(_make, path, self._start, seconds).result()

    def wait(self, stop: threading.Event) -> None:
        """Until the time of the first record."""
        stop.wait(max(0.0, (self._start - datetime.now(UTC)).total_seconds()))

    def batches(self) -> Iterator[RawBatch]:
        """What the spool is given, one after the other, without end."""
        while True:
            with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as seconds:
                for second in seconds:
                    for source, payload in zip(*second.to_pydict().values(), strict=True):
                        yield from split_lines(payload, source, datetime.now(UTC))


def _make(path: Path, start: datetime, seconds: int) -> None:
    company = load_company()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, _SCHEMA) as writer:
        for second in range(seconds):
            moment = start + timedelta(seconds=second)
            end = moment + timedelta(seconds=1)
            sent = list(later_plan(company, start=moment, end=end, records=INGEST_PER_S))
            columns = [[one.source for one in sent], [one.payload for one in sent]]
            writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))


class Feeding:
    """Sends the records, while the flow works and small segments are merged, as in a server."""

    def __init__(self, house: Tocsin, feed: RecordedFeed) -> None:
        self._house = house
        self._feed = feed
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        self.longest_stop_s = 0.0
        self._threads = [
            threading.Thread(target=self._trying, args=(work,), name=work.__name__)
            for work in (self._send, self._work, self._merge)
        ]

    def start(self) -> None:
        self._feed.wait(self._stop)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._house.flow.wake()
        for thread in self._threads:
            thread.join()
        if self._failed:
            raise self._failed[0]
        if self._house.flow.error:
            raise RuntimeError(f"the flow stood still: {self._house.flow.error}")

    def _trying(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # told to whoever measures
            self._failed.append(error)

    def _send(self) -> None:
        due = time.monotonic()
        for batch in self._feed.batches():
            began = time.monotonic()
            self._house.keep([batch])
            self.longest_stop_s = max(self.longest_stop_s, round(time.monotonic() - began, 3))
            records = batch.payload.count(b"\n") + 1
            due = max(due + records / INGEST_PER_S, time.monotonic() - 1)
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return

    def _work(self) -> None:
        self._house.flow.run(self._stop, self._house.settings.flow.cut_s)

    def _merge(self) -> None:
        while not self._stop.wait(IDLE_MERGE_INTERVAL_S):
            self._house.events.merge_small(datetime.now(UTC) - LATELY)


@contextmanager
def feeding(house: Tocsin, path: Path, seconds: int) -> Iterator[Feeding]:
    """Records come in until the end of the block; ``path`` is where they are kept meanwhile.

    They have come in for a while when the block begins.
    """
    started = Feeding(house, RecordedFeed(path, round(_WARM_UP_S) + seconds))
    started.start()
    try:
        time.sleep(_WARM_UP_S)
        yield started
    finally:
        started.stop()
