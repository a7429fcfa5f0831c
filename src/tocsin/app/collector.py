"""Keeps Python's cycle collector from walking all that lives as long as the process does."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def setting_aside() -> Iterator[None]:
    """For importing and opening: what is made stays as long as the process, and is not looked at.

    Of the half million objects that ``tocsin serve`` starts with, 3,000 are in a dead cycle; going
    through the others again and again took a quarter of its start.
    """
    gc.disable()
    try:
        yield
    finally:
        _freeze()
        gc.enable()


def spare_long_lived() -> None:
    """Call once the house is open, in a process that goes on to work.

    Rules, mappings and libraries are set aside from collection, which took 8 % of ``tocsin bench
    ingest``; with this it takes less than 1 %.
    """
    gc.collect()
    _freeze()
    collect_seldom()


def collect_seldom() -> None:
    """Look at young objects less often: a turn of work holds tens of thousands, in no cycle."""
    gc.set_threshold(50_000, 10, 20)


def _freeze() -> None:
    """Set aside what there is, until the end: DuckDB's bindings complain of leaks without that."""
    gc.freeze()
    atexit.unregister(gc.unfreeze)
    atexit.register(gc.unfreeze)
