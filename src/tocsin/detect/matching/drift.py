"""When to choose witnesses anew: too little was known at first, or the events have changed."""

ENOUGH_SAMPLED = 256
"""Sampled events that make a choice worth keeping."""
_FIRST_ROWS = 512
"""Before so many events have come, learning would cost more than it saves."""
_FIRST_REPEAT_ROWS = 2_000
_WINDOW_ROWS = 100_000
_GROWTH = 1.5
_SLACK = 2.0


class Drift:
    """Counts what the chosen witnesses let through, in pairs of rule and event."""

    def __init__(self) -> None:
        self._rows = 0
        self._next_repeat = _FIRST_REPEAT_ROWS
        self._window_rows = 0
        self._window_pairs = 0
        self._usual: float | None = None
        self._rows_between = _WINDOW_ROWS
        self._first_rows = _FIRST_ROWS

    def was_settled_before(self) -> None:
        """The choice in force was learned by an earlier run: look at it anew, but not at once."""
        self._first_rows = _WINDOW_ROWS

    def saw(self, rows: int, pairs: int) -> None:
        """Take in what one batch let through."""
        self._rows += rows
        self._window_rows += rows
        self._window_pairs += pairs

    def calls_for_learning(self, sampled: int, coming: int) -> bool:
        """True when the batch of ``coming`` events should be learned from.

        ``sampled`` events have been so far: at first when enough events come; while they are
        few, at ever longer intervals; later when a window of events lets through half as much
        again as the first did, each time waiting twice as long.
        """
        if sampled == 0:
            return self._rows + coming >= self._first_rows
        if sampled < ENOUGH_SAMPLED:
            if self._rows < self._next_repeat:
                return False
            self._next_repeat = self._rows * 4
            return True
        if self._window_rows < self._rows_between:
            return False
        density = self._window_pairs / self._window_rows
        self._window_rows = self._window_pairs = 0
        if self._usual is None:
            self._usual = density
        if density <= self._usual * _GROWTH + _SLACK:
            return False
        self._usual = None
        self._rows_between *= 2
        return True
