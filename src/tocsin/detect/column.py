"""One field of a batch in columnar form: codes of distinct texts, by row."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.predicate import Predicate
from tocsin.detect.value_text import text_of
from tocsin.detect.vocabulary import CAPACITY, Codes, Mask, PassingVocabulary, Vocabulary

Rows = npt.NDArray[np.int64]


class Column:
    """Entries (values that are not null) of one field over the rows of a batch.

    A plain field has one entry or none a row; a list has any number (``offsets`` into entries).
    """

    def __init__(
        self, codes: Codes, vocabulary: Vocabulary, offsets: Rows | None, rows: int
    ) -> None:
        self.codes = codes
        self.vocabulary = vocabulary
        self._offsets = offsets
        self._rows = rows
        self._inverse: tuple[Rows, Rows] | None = None
        self._parents: Rows | None = None

    def has_value(self, rows: Rows) -> Mask:
        """Of each row whether the field is present."""
        if self._offsets is None:
            return np.asarray(self.codes[rows] >= 0)
        return np.asarray(self._offsets[rows + 1] > self._offsets[rows])

    def holds(self, key: int, predicate: Predicate, rows: Rows) -> Mask:
        """Of each row whether any of its values passes the predicate (known as ``key``)."""
        if self._offsets is None:
            codes = self.codes[rows]
            return np.equal(self.vocabulary.verdicts(key, predicate, codes)[codes], 1)
        entries, at = self._entries(rows)
        codes = self.codes[entries]
        passed = self.vocabulary.verdicts(key, predicate, codes)[codes] == 1
        mask = np.zeros(len(rows), np.bool_)
        mask[at[passed]] = True
        return mask

    @property
    def single_codes(self) -> Codes | None:
        """The code of each row (-1: none) of a plain field; None for a list."""
        return self.codes if self._offsets is None else None

    def values_by_row(self, rows: Rows) -> list[list[int]]:
        """The codes of each row's values."""
        if self._offsets is None:
            return [[code] if code >= 0 else [] for code in self.codes[rows].tolist()]
        codes = self.codes
        return [codes[self._offsets[row] : self._offsets[row + 1]].tolist() for row in rows]

    def present_codes(self) -> Codes:
        """The distinct codes that occur, ascending."""
        if isinstance(self.vocabulary, PassingVocabulary):
            return np.arange(len(self.vocabulary))
        seen = np.zeros(len(self.vocabulary) + 1, np.bool_)
        seen[self.codes] = True
        return np.flatnonzero(seen[:-1])

    def rows_with(self, codes: Codes) -> Rows:
        """The rows that have any of the (distinct) codes, ascending."""
        order, starts = self._by_code()
        if len(codes) == 1:
            entries = order[starts[codes[0]] : starts[codes[0] + 1]]
        else:
            entries = order[_ranges(starts[codes], starts[codes + 1])[0]]
            entries.sort()
        if self._offsets is None:
            return entries
        return np.unique(self._parent_rows()[entries])

    def _by_code(self) -> tuple[Rows, Rows]:
        if self._inverse is None:
            shifted = self.codes + 1
            size = len(self.vocabulary) + 1
            starts = np.zeros(size + 1, np.int64)
            np.cumsum(np.bincount(shifted, minlength=size), out=starts[1:])
            narrow = shifted.astype(np.uint16) if size <= 0xFFFF else shifted
            self._inverse = np.argsort(narrow, kind="stable"), starts[1:]
        return self._inverse

    def _parent_rows(self) -> Rows:
        if self._parents is None:
            assert self._offsets is not None  # noqa: S101 - callers asked first
            self._parents = np.repeat(np.arange(self._rows), np.diff(self._offsets))
        return self._parents

    def _entries(self, rows: Rows) -> tuple[Rows, Rows]:
        """The entries of the rows, and of each the position of its row in ``rows``."""
        assert self._offsets is not None  # noqa: S101 - callers asked first
        return _ranges(self._offsets[rows], self._offsets[rows + 1])


def _ranges(starts: Rows, ends: Rows) -> tuple[Rows, Rows]:
    """All integers of the half-open ranges in order, and which range each is from."""
    counts = ends - starts
    which = np.repeat(np.arange(len(starts)), counts)
    first = np.cumsum(counts) - counts
    return np.arange(len(which)) - first[which] + starts[which], which


class ColumnReader:
    """Makes columns of one lane's fields, keeping the vocabulary of each field over batches."""

    def __init__(self) -> None:
        self._vocabularies: dict[str, Vocabulary] = {}
        self._distinct_share: dict[str, float] = {}

    def read(self, name: str, array: pa.Array) -> Column:
        """The column of ``array``; ``name`` is what its vocabulary is kept under."""
        rows = len(array)
        offsets = None
        while pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if _is_list(array.type):
            array, offsets = _exploded(array)
            while pa.types.is_dictionary(array.type):
                array = array.dictionary_decode()
        codes, vocabulary = self._encoded(name, array)
        return Column(codes, vocabulary, offsets, rows)

    def read_values(self, name: str, texts: list[list[str | None]]) -> Column:
        """A column of rows given as lists of texts (None: a value without a text)."""
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(row) for row in texts], out=offsets[1:])
        codes, vocabulary = self._lasting(name, [text for row in texts for text in row])
        return Column(codes, vocabulary, offsets, len(texts))

    def forget_hits(self) -> None:
        for vocabulary in self._vocabularies.values():
            vocabulary.forget_hits()

    def _encoded(self, name: str, array: pa.Array) -> tuple[Codes, Vocabulary]:
        kind = array.type
        if _is_text(kind):
            texts = array if pa.types.is_string(kind) else array.cast(pa.string())
            if self._distinct_share.get(name, 0.0) > 0.9 and len(texts) > 256:
                return self._each_its_own(name, texts)
            encoded = texts.dictionary_encode()
            indices = _indices(encoded)
            return self._coded(name, indices, encoded.dictionary)
        if pa.types.is_null(kind):
            return np.full(len(array), -1, np.int64), Vocabulary()
        if pa.types.is_nested(kind):
            code, vocabulary = self._lasting(name, [None])
            valid = array.is_valid().to_numpy(zero_copy_only=False)
            return np.where(valid, code[0], -1), vocabulary
        encoded = array.dictionary_encode()
        return self._coded(name, _indices(encoded), _texts_of(encoded.dictionary))

    def _each_its_own(self, name: str, texts: pa.Array) -> tuple[Codes, Vocabulary]:
        """Without looking for repetitions, but for a probe that notices their return."""
        probe = texts.slice(0, 512)
        self._distinct_share[name] = pc.count_distinct(probe).as_py() / len(probe)
        codes = np.arange(len(texts))
        if texts.null_count:
            codes = np.where(texts.is_valid().to_numpy(zero_copy_only=False), codes, -1)
        return codes, PassingVocabulary(texts)

    def _coded(self, name: str, indices: Codes, distinct: pa.Array) -> tuple[Codes, Vocabulary]:
        share = len(distinct) / max(1, len(indices))
        self._distinct_share[name] = share
        if len(distinct) > CAPACITY // 2 or (share > 0.5 and len(distinct) > 1024):
            return indices, PassingVocabulary(distinct)
        codes, vocabulary = self._lasting(name, distinct.to_pylist())
        return np.append(codes, -1)[indices], vocabulary

    def _lasting(self, name: str, texts: list[str | None]) -> tuple[Codes, Vocabulary]:
        vocabulary = self._vocabularies.get(name)
        if vocabulary is None or len(vocabulary) + len(texts) > CAPACITY:
            vocabulary = self._vocabularies[name] = Vocabulary()
        return vocabulary.codes_of(texts), vocabulary


def _texts_of(values: pa.Array) -> pa.Array:
    """``value_text.text_of`` of each value."""
    if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        return values.cast(pa.string())
    return pa.array([text_of(value) for value in values.to_pylist()], pa.string())


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _exploded(array: pa.Array) -> tuple[pa.Array, Rows]:
    """The members that are not null, and offsets into them by row."""
    parents = pc.list_parent_indices(array)
    members = pc.list_flatten(array)
    if members.null_count:
        valid = members.is_valid()
        parents, members = parents.filter(valid), members.filter(valid)
    counts = np.bincount(parents.to_numpy(zero_copy_only=False), minlength=len(array))
    offsets = np.zeros(len(array) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return members, offsets


def _indices(encoded: Any) -> Codes:
    indices = encoded.indices
    if indices.null_count:
        indices = indices.fill_null(-1)
    return np.asarray(indices.to_numpy(zero_copy_only=False), np.int64)
