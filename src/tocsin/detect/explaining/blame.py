"""Says in words why a condition did not hold, the least that was missing first."""

from collections.abc import Iterator

from tocsin.detect.explaining.explanation import Explained

_MOST_NAMED = 5


def blame(explained: Explained) -> tuple[str, ...]:
    """A sentence for each smallest part to blame; none when the condition held.

    Parts that are needed as they are come first, then what was excluded, then alternatives of
    which one would have been enough.
    """
    if explained.held:
        return ()
    ranked = sorted(_blamed(explained), key=lambda one: one[0])
    return tuple(words for _, words in ranked)


def _blamed(part: Explained) -> Iterator[tuple[int, str]]:
    if part.words == "not":
        yield 1, f"excluded: {' and '.join(_held(part.parts[0]))}"
    elif part.words == "any of":
        failed = [words for one in part.parts for _, words in _blamed(one)]
        more = f"; and {len(failed) - _MOST_NAMED} more" if len(failed) > _MOST_NAMED else ""
        one_of = "one of these would do: " if len(failed) > 1 else ""
        yield 2, f"{one_of}{'; '.join(failed[:_MOST_NAMED])}{more}"
    elif part.parts:
        for one in part.parts:
            if not one.held:
                yield from _blamed(one)
    else:
        yield 0, f"{part.words} does not hold: {_there(part)}"


def _there(part: Explained) -> str:
    name = part.words.partition(":")[0].partition("|")[0]
    if name == "keywords":
        return "no value of the event has it"
    if not part.seen:
        return f"the event has no {name}"
    return f"{name} is {_quoted(part.seen)}"


def _held(part: Explained) -> list[str]:
    """What of an excluded part held, in words."""
    if not part.parts:
        by = " or ".join(part.by) or part.words
        return [f"{by} holds" + (f" for {_quoted(part.seen)}" if part.seen else "")]
    if part.words == "not":
        return [f"not {one.words}" for one in part.parts]
    return [words for one in part.parts if one.held for words in _held(one)]


def _quoted(values: tuple[str, ...]) -> str:
    shown = ", ".join(f"“{value}”" for value in values[:_MOST_NAMED])
    more = len(values) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
