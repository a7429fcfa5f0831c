"""Regular expressions: RE2 where it can, else an engine with a time limit for every value."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import re2
import regex

from tocsin.detect.errors import Unsupported

LIMIT_S: Final = 0.05
"""Processor time the fallback may take to search one value."""
LONGEST: Final = 262_144
"""Characters of the longest expression taken; RE2's own memory limit (8 MiB) may come first."""
_LONGEST_FALLBACK: Final = 16_384
_MOST_UNROLLED: Final = 50_000
"""Steps a fallback expression may have with its counted repetitions written out (memory)."""
_ITEM: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(\{\d*,?\d*\})|.", re.DOTALL)


class ExpressionKind(StrEnum):
    """What searches for an expression."""

    RE2 = "re2"
    """Time linear in the text, whatever the expression."""
    FALLBACK = "fallback"
    """Lookaround, backreferences, atomic groups: what RE2 has not. Backtracks, so has a limit."""


@dataclass(frozen=True, slots=True)
class Searcher:
    """A compiled expression. ``native`` is the engine's own object."""

    pattern: str
    kind: ExpressionKind
    native: Any
    _search: Callable[[str], object]

    def found_in(self, text: str) -> bool:
        """Whether the expression is found anywhere in the text.

        Raises ``TimeoutError`` when that takes more than ``LIMIT_S``: such a value counts as not
        matching, and whoever searches counts it.
        """
        return self._search(text) is not None


@lru_cache(maxsize=8192)
def compiled(pattern: str) -> Searcher:
    r"""What searches for ``pattern`` (its flags inline, ``(?ims)``), the same for everybody.

    The fallback reads as PCRE does: ``\d``, ``\w``, ``\s``, ``\b`` and letter case mean ASCII,
    ``$`` stands before a last line feed too. Raises ``Unsupported`` with the reason when no
    engine takes the expression, or it is too large to be run in bounded memory.
    """
    if len(pattern) > LONGEST:
        raise Unsupported(
            f"the expression has {len(pattern):,} characters, at most {LONGEST:,} are taken: "
            "split it into several values"
        )
    try:
        quick = re2.compile(pattern, _options())
    except re2.error as error:
        return _fallback(pattern, _reason(error))
    except UnicodeEncodeError as error:
        raise Unsupported("the expression has half a surrogate pair: not text") from error
    return Searcher(pattern, ExpressionKind.RE2, quick, quick.search)


def _fallback(pattern: str, why_not_re2: str) -> Searcher:
    if len(pattern) > _LONGEST_FALLBACK:
        raise Unsupported(f"{why_not_re2} (RE2 syntax; too long for another engine)")
    if _unrolled_size(pattern) > _MOST_UNROLLED:
        raise Unsupported(f"{why_not_re2} (RE2 syntax; repeats too much for another engine)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            slow = regex.compile(pattern, regex.VERSION0 | regex.ASCII)
    except (regex.error, ValueError, RecursionError, OverflowError, MemoryError) as error:
        text = str(error) or type(error).__name__
        raise Unsupported(f"{why_not_re2} (RE2 syntax); {text} (PCRE syntax)") from error
    return Searcher(
        pattern,
        ExpressionKind.FALLBACK,
        slow,
        lambda text: slow.search(text, timeout=LIMIT_S),
    )


def _unrolled_size(pattern: str) -> int:
    """About how many steps the expression has when ``{n,m}`` is written out."""
    sizes, last = [0], 0
    for item in _ITEM.finditer(pattern):
        text = item.group()
        if text == "(":
            sizes.append(0)
            last = 0
        elif text == ")" and len(sizes) > 1:
            last = sizes.pop()
            sizes[-1] += last
        elif item.group(1):
            counts = [int(count[:9]) for count in text.strip("{}").split(",") if count]
            sizes[-1] += last * (max(counts, default=1) - 1)
            last *= max(counts, default=1)
        else:
            last = 1
            sizes[-1] += 1
    return sum(sizes)


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True  # many groups would cost memory without bound, and none is read
    return options


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else "not understood"
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
