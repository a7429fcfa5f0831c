"""What one worker of a hunt does: reads its share of the files and tells what the rules find."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.app.hunts.hunt_evidence import packed
from tocsin.app.hunts.hunt_narrowing import Narrowing
from tocsin.detect.hunt import HuntHit, Place, hits_in
from tocsin.detect.matching.engine import Engine, Hit
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.ingest.columns.decode_lazy import text_of
from tocsin.ingest.cutting.cutting import Cut, newlines_in
from tocsin.ingest.cutting.recognition import Shape
from tocsin.ingest.cutting.slices import Slice, lines_in, read_slice, records_in
from tocsin.ingest.decode import decode
from tocsin.ingest.records.windows_event import flatten_event
from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_id_column
from tocsin.model.record import Decoded, Framing, Origin, RawBatch, Unreadable
from tocsin.normalize.gathered import Asked
from tocsin.normalize.normalizer import Normalizer

GATHERED_BYTES = 40 << 20
GATHERED_RECORDS = 50_000
JOINED_BYTES = 1 << 20
_JOINED_FRAMINGS = frozenset((Framing.LINES, Framing.EVTX))
_TOLD_UNREADABLE = 200
"""Of so many in one report the places are told; all are counted."""
_SHIFT = 1 << 40

Part = tuple[Decoded, Origin]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is hunted for.

    ``stateful`` are ids of match rules whose hits correlations need; ``since_us`` and
    ``until_us`` bound the time of events (microseconds since 1970; the end is outside).
    ``mappings`` is a folder of one's own mappings.
    """

    ruleset: RuleSet
    stateful: frozenset[str] = frozenset()
    since_us: int | None = None
    until_us: int | None = None
    with_events: bool = True
    gathered_bytes: int = GATHERED_BYTES
    cache: Path | None = None
    mappings: Path | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A record (or more of a file) that can't be read."""

    file: str
    ordinal: int
    reason: str


@dataclass(slots=True)
class Found:
    """A report on a piece of work; ``numbered`` says how many records precede the next slice."""

    hits: list[HuntHit] = field(default_factory=list)
    evidence: list[bytes] = field(default_factory=list)
    records: int = 0
    read_bytes: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    unreadable: Counter[str] = field(default_factory=Counter)
    lanes: Counter[str] = field(default_factory=Counter)
    unasked: Counter[str] = field(default_factory=Counter)
    numbered: int = 0
    is_last: bool = False

    def blame(self, file: str, ordinal: int, reason: str) -> None:
        self.unreadable[file] += 1
        if len(self.troubles) < _TOLD_UNREADABLE:
            self.troubles.append(Trouble(file, ordinal, reason))


class Hunter:
    """Works on slices, one after the other; small ones are evaluated together."""

    def __init__(self, wanted: Wanted, normalizer: Normalizer) -> None:
        self._wanted = wanted
        self._engine = Engine(wanted.ruleset, wanted.cache)
        self._normalizer = normalizer
        self._narrowing = Narrowing(self._engine, wanted.stateful)
        self._asked: dict[str, bool] = {}
        self._order = {found.rule.id: at for at, found in enumerate(wanted.ruleset.rules)}

    def work(self, slices: Sequence[Slice]) -> Iterator[Found]:
        """Reports in the order of the slices; the last one says so, and has ``numbered``."""
        found, gathered = Found(), _Gathered()
        for part in slices:
            at = numbered = 0
            for cut, now_at, last in _in_large_pieces(_cuts(part)):
                found.read_bytes += now_at - at
                at, numbered = now_at, max(numbered, last)
                self._take(cut, part.start, gathered, found)
                if gathered.is_full(self._wanted.gathered_bytes):
                    self._evaluate(gathered, found)
                    yield found
                    found, gathered = Found(), _Gathered()
            found.read_bytes += part.size_bytes - at
            if part.end is not None:
                found.numbered = numbered if part.shape is Shape.EVTX else numbered_in(part)
        self._evaluate(gathered, found)
        found.is_last = True
        yield found

    @staticmethod
    def _take(cut: Cut, start: int, gathered: "_Gathered", found: Found) -> None:
        if isinstance(cut, Unreadable):
            found.blame(cut.place, cut.ordinal, cut.reason)
            return
        try:
            decoded = decode(cut)
        except Exception as error:  # one bad batch never stops the rest
            found.blame(cut.place, cut.first_ordinal, _fault(error))
            return
        found.records += len(decoded.records)
        for problem in decoded.unreadable:
            found.blame(cut.place, problem.ordinal, problem.reason)
        if decoded.records:
            gathered.add(decoded, _origin(cut, start), cut)

    def _evaluate(self, gathered: "_Gathered", found: Found) -> None:
        parts = gathered.parts
        if not parts:
            return
        seen: list[tuple[EventBatch, list[Hit]]] = []
        places = _Places(parts)
        hits: list[HuntHit] = []
        with _blaming(parts, found):
            batches = self._normalizer.normalize_all(parts, self._asked_fields(gathered))
            for batch in self._asked_of(batches, found):
                narrow = bool(batch.left_out)
                seen.append((batch, self._engine.evaluate(batch, without_keywords=narrow)))
        with _blaming(parts, found):
            places.find(seen)
            for batch, all_hits in seen:
                hits += self._told(batch, all_hits, places, found)
        order = self._order
        hits.sort(key=lambda hit: (*places.rank(hit.event_id), order[hit.rule_id]))
        found.hits += hits

    def _asked_fields(self, gathered: "_Gathered") -> Asked | None:
        """Some columns are enough where records are as the parser of event logs writes them."""
        if gathered.framings != {Framing.EVTX}:
            return None
        return partial(self._narrowing.asked, [text_of(one.lines) for one, _ in gathered.parts])

    def _asked_of(self, batches: Iterable[EventBatch], found: Found) -> Iterator[EventBatch]:
        """What is to be evaluated: of lanes that rules ask for, events in the range of time."""
        for batch in batches:
            found.lanes[batch.lane.id] += len(batch)
            if not self._is_asked(batch):
                found.unasked[batch.lane.id] += len(batch)
                continue
            inside = self._within(batch)
            if len(inside):
                yield inside

    def _told(
        self, batch: EventBatch, all_hits: Sequence[Hit], places: "_Places", found: Found
    ) -> list[HuntHit]:
        wanted = self._wanted
        needed = [hit for hit in all_hits if hit.rule.id in wanted.stateful]
        if needed:
            found.evidence.append(packed(batch, needed, places.of))
        told = [hit for hit in all_hits if hit.rule.id not in wanted.ruleset.silent]
        return hits_in(batch, told, places.of, places.read if wanted.with_events else None)

    def _is_asked(self, batch: EventBatch) -> bool:
        lane = batch.lane
        asked = self._asked.get(lane.id)
        if asked is None:
            rules = self._wanted.ruleset.rules
            asked = any(lane.accepts(found.rule.logsource) for found in rules)
            self._asked[lane.id] = asked
        return asked

    def _within(self, batch: EventBatch) -> EventBatch:
        """The events of the batch that are in the range of time asked for."""
        since, until = self._wanted.since_us, self._wanted.until_us
        if since is None and until is None:
            return batch
        times = batch.times.cast(pa.int64()).to_numpy(zero_copy_only=False)
        inside = np.ones(len(times), bool)
        if since is not None:
            inside &= times >= since
        if until is not None:
            inside &= times < until
        return batch if inside.all() else taken(batch, np.flatnonzero(inside))


@contextmanager
def _blaming(parts: list[Part], found: Found) -> Iterator[None]:
    """A fault of ours is told for each file concerned; the next piece of work is tried."""
    try:
        yield
    except Exception as error:
        for file in dict.fromkeys(origin.place for _, origin in parts):
            found.blame(file, 0, _fault(error))


def taken(batch: EventBatch, rows: "np.typing.NDArray[np.int64]") -> EventBatch:
    """The given rows of a batch, without columns that are null in all of them."""
    at = pa.array(rows, pa.int64())
    native = batch.native.take(at)
    names = [
        name
        for name, column in zip(native.schema.names, native.columns, strict=True)
        if column.null_count < len(column)
    ]
    return EventBatch(
        lane=batch.lane,
        sources=batch.sources.take(at),
        tenant=batch.tenant,
        event_ids=batch.event_ids.take(at),
        times=batch.times.take(at),
        ingested_at=batch.ingested_at.take(at),
        native=native.select(names),
        ocsf=batch.ocsf.take(at),
        raw=pc.take(batch.raw, at),
        left_out=batch.left_out,
    )


class _Gathered:
    """Parts that wait until they are worth being evaluated together."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.framings: set[Framing] = set()
        self._bytes = 0
        self._records = 0

    def add(self, decoded: Decoded, origin: Origin, cut: RawBatch) -> None:
        self.parts.append((decoded, origin))
        self.framings.add(cut.framing)
        self._bytes += len(cut.payload)
        self._records += len(decoded.records)

    def is_full(self, limit_bytes: int) -> bool:
        return self._bytes >= limit_bytes or self._records >= GATHERED_RECORDS


class _Places:
    """Where the events that rules recognized were read."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._known: dict[str, tuple[int, int]] = {}

    def find(self, seen: Iterable[tuple[EventBatch, Sequence[Hit]]]) -> None:
        """Look the events of these hits up, so that they can be asked for."""
        ids = [
            batch.event_ids.take(pa.array(sorted({row for hit in hits for row in hit.rows})))
            for batch, hits in seen
            if hits
        ]
        if not ids:
            return
        wanted = pa.concat_arrays(ids)
        for at, (decoded, origin) in enumerate(self._parts):
            names = event_id_column(
                origin.received_at, origin.spool, origin.position, decoded.ordinals
            )
            rows = np.flatnonzero(pc.is_in(names, wanted).to_numpy(zero_copy_only=False))
            told = names.take(pa.array(rows)).to_pylist()
            self._known.update(
                (name, (at, row)) for name, row in zip(told, rows.tolist(), strict=True)
            )

    def rank(self, event_id: str) -> tuple[int, int]:
        """Which part the event is of and which record of it: the order of reading."""
        return self._known[event_id]

    def of(self, event_id: str) -> Place:
        at, row = self.rank(event_id)
        decoded, origin = self._parts[at]
        return origin.place, origin.position % _SHIFT + decoded.ordinals[row]

    def read(self, event_id: str) -> Mapping[str, object]:
        """The record itself, before its values had to share columns with others."""
        at, row = self.rank(event_id)
        decoded = self._parts[at][0]
        line = decoded.lines[row]
        if line[:1] != b"{":
            return decoded.records[row]
        try:
            found = orjson.loads(line)  # has been decoded before: no check needs to be repeated
        except orjson.JSONDecodeError:
            return decoded.records[row]
        return (flatten_event(found) if "Event" in found else None) or found


def _origin(cut: RawBatch, start: int) -> Origin:
    """Ids repeat for the same record of the same file, however it is gathered."""
    return Origin(
        source=cut.source,
        received_at=cut.received_at,
        spool=cut.place,
        position=start * _SHIFT + cut.first_ordinal,
        place=cut.place,
    )


def _cuts(part: Slice) -> Iterator[tuple[Cut, int]]:
    try:
        yield from read_slice(part)
    except Exception as error:  # one bad file never stops the rest
        yield Unreadable(part.source, part.path, 0, _fault(error), b""), part.size_bytes


def _in_large_pieces(cuts: Iterator[tuple[Cut, int]]) -> Iterator[tuple[Cut, int, int]]:
    """The same records, what follows on one another put together: large payloads decode faster.

    With each the bytes read so far and the number of its last record.
    """
    held: list[RawBatch] = []
    size = at = last = 0
    for cut, now_at in cuts:
        joins = isinstance(cut, RawBatch) and cut.framing in _JOINED_FRAMINGS
        follows = joins and size < JOINED_BYTES and _follows(held, cut, last)
        if held and not follows:
            yield _joined(held), at, last
            held, size = [], 0
        last = _last_number(cut)
        if isinstance(cut, RawBatch) and joins:
            held.append(cut)
            size += len(cut.payload)
            at = now_at
        else:
            yield cut, now_at, last
    if held:
        yield _joined(held), at, last


def _follows(held: list[RawBatch], cut: Cut, last: int) -> bool:
    """Whether ``cut`` goes on after what is held, whose last record is number ``last``."""
    return (
        isinstance(cut, RawBatch)
        and bool(held)
        and cut.framing is held[0].framing
        and cut.first_ordinal == last + 1
    )


def _joined(held: list[RawBatch]) -> RawBatch:
    if len(held) == 1:
        return held[0]
    return replace(held[0], payload=b"\n".join([one.payload for one in held]))


def numbered_in(part: Slice) -> int:
    """How many records precede the next slice of the file, as far as that is told unread."""
    if part.end is None:
        return 0
    try:
        return records_in(part) if part.shape is Shape.EVTX else lines_in(part)
    except OSError:
        return 0  # has been told when the slice was read


def _last_number(cut: Cut) -> int:
    if isinstance(cut, Unreadable):
        return cut.ordinal
    return cut.first_ordinal + newlines_in(cut.payload)


def _fault(error: Exception) -> str:
    return f"not hunted through, a fault of ours: {type(error).__name__}: {error}"
