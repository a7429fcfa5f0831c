"""What is compiled is kept by content, whole, bounded; what is damaged counts as missing."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.detect.matching import needle_finder
from tocsin.detect.matching.compiled_store import CompiledStore
from tocsin.detect.matching.needle_finder import ByHand, NeedleFinder

NEEDLES = [b"\\net.exe", b"net", b"mimikatz", b"-enc", b"a"]
TEXT = b"c:\\net.exe\nnet net.exe -enc aaa\nmimikat mimikatz"


def found(finder: NeedleFinder | ByHand, text: bytes) -> list[tuple[int, int]]:
    numbers, ends = finder.ends(text)
    return sorted(zip(numbers.tolist(), ends.tolist(), strict=True))


def plainly(needles: list[bytes], text: bytes) -> list[tuple[int, int]]:
    return sorted(
        (number, at + len(needle))
        for number, needle in enumerate(needles)
        for at in range(len(text))
        if text.startswith(needle, at)
    )


@given(
    st.lists(st.text("ab\\.é", min_size=1, max_size=7).map(str.encode), min_size=1, unique=True),
    st.text("ab\\.é\n", max_size=60).map(str.encode),
)
def test_by_hand_and_compiled_the_same_is_found(needles: list[bytes], text: bytes) -> None:
    expected = plainly(needles, text)
    assert found(ByHand(needles), text) == expected
    finder = NeedleFinder(needles)
    assert found(finder, text) == expected
    finder.ends(b"x" * 200_000)  # from here on by the automaton
    assert found(finder, text) == expected
    assert finder.occurs_in(text) == bool(expected)


def test_nothing_is_compiled_for_a_few_texts_and_once_for_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[int] = []
    really = needle_finder._compiled

    def counted(needles: list[bytes]) -> object:
        compiled.append(len(needles))
        return really(needles)

    needle_finder._platform()
    monkeypatch.setattr(needle_finder, "_compiled", counted)
    finder = NeedleFinder(NEEDLES, CompiledStore(tmp_path))
    for _ in range(100):
        finder.ends(TEXT)
    assert compiled == []
    for _ in range(10):
        finder.ends(TEXT * 1000)
    assert compiled == [len(NEEDLES)]
    another = NeedleFinder(NEEDLES, CompiledStore(tmp_path))
    assert found(another, TEXT) == plainly(NEEDLES, TEXT)
    another.ends(TEXT * 10_000)
    assert compiled == [len(NEEDLES)]


def test_a_damaged_or_foreign_entry_is_ignored(tmp_path: Path) -> None:
    store = CompiledStore(tmp_path)
    NeedleFinder(NEEDLES, store).ends(TEXT * 10_000)
    (path,) = tmp_path.iterdir()
    for content in (b"", path.read_bytes()[:-1], b"\0" * 16 + b"not an automaton"):
        path.write_bytes(content)
        assert store.get(path.name) is None
        assert found(NeedleFinder(NEEDLES, store), TEXT) == plainly(NEEDLES, TEXT)
    store.put(path.name, b"whole, but no automaton")
    assert found(NeedleFinder(NEEDLES, store), TEXT) == plainly(NEEDLES, TEXT)


def test_the_longest_unused_entries_make_room(tmp_path: Path) -> None:
    store = CompiledStore(tmp_path, most_bytes=300)
    for age, key in enumerate(("a", "b", "c")):
        store.put(key, bytes(64))
        os.utime(tmp_path / key, (1000 + age, 1000 + age))
    assert store.get("a") is not None  # used: not the oldest any more
    store.put("d", bytes(64))
    assert [key for key in "abcd" if store.get(key)] == ["a", "c", "d"]


def test_a_folder_that_cannot_be_written_costs_nothing_but_speed(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    store = CompiledStore(blocked / "cache")
    store.put("a", b"x")
    assert store.get("a") is None
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".new-")]
