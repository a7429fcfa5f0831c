"""Makes columns of Arrow arrays, remembering each field's texts from batch to batch."""

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.matching.column import FEW, Column, Rows
from tocsin.detect.matching.vocabulary import CAPACITY, Codes, PassingVocabulary, Vocabulary
from tocsin.detect.rules.value_text import text_of


class ColumnReader:
    """Makes columns of one lane's fields, keeping the vocabulary of each field over batches."""

    def __init__(self) -> None:
        self._vocabularies: dict[str, Vocabulary] = {}
        self._distinct_share: dict[str, float] = {}

    def read(self, name: str, array: pa.Array) -> Column:
        """The column of ``array``; ``name`` is what its vocabulary is kept under."""
        rows = len(array)
        offsets = None
        if _is_coded(array):
            codes, vocabulary = self._coded(name, _indices(array), array.dictionary)
            return Column(codes, vocabulary, offsets, rows)
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

    def keep_hits(self, scanners: Iterable[Hashable]) -> None:
        """Forget what other scanners than these have found."""
        kept = frozenset(scanners)
        for vocabulary in self._vocabularies.values():
            vocabulary.keep_hits(kept)

    def _encoded(self, name: str, array: pa.Array) -> tuple[Codes, Vocabulary]:
        kind = array.type
        if len(array) <= FEW and not pa.types.is_nested(kind):
            return self._few(name, array)
        if _is_text(kind):
            texts = array if pa.types.is_string(kind) else array.cast(pa.string())
            if self._distinct_share.get(name, 0.0) > 0.9:
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

    def _few(self, name: str, array: pa.Array) -> tuple[Codes, Vocabulary]:
        values = array.to_pylist()
        texts = values if _is_text(array.type) else [text_of(value) for value in values]
        vocabulary = self._with_room(name, len(texts))
        return vocabulary.codes_of_rows(texts), vocabulary

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
        vocabulary = self._with_room(name, len(texts))
        return vocabulary.codes_of(texts), vocabulary

    def _with_room(self, name: str, more: int) -> Vocabulary:
        vocabulary = self._vocabularies.get(name)
        if vocabulary is None or len(vocabulary) + more > CAPACITY:
            vocabulary = self._vocabularies[name] = Vocabulary()
        return vocabulary


def _texts_of(values: pa.Array) -> pa.Array:
    """``value_text.text_of`` of each value."""
    if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        return values.cast(pa.string())
    return pa.array([text_of(value) for value in values.to_pylist()], pa.string())


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_coded(array: pa.Array) -> bool:
    """True when it comes as few texts and their numbers, as it does from the store."""
    return bool(
        pa.types.is_dictionary(array.type)
        and pa.types.is_string(array.type.value_type)
        and len(array) > FEW
        and 2 * len(array.dictionary) <= len(array)
        and not array.dictionary.null_count
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
