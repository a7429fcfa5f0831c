"""Keeps Python's cycle collector from walking all that lives as long as the process does."""

import atexit
import gc


def spare_long_lived() -> None:
    """Call once the house is open, in a process that goes on to work.

    Rules, mappings and libraries are set aside from collection, which took 8 % of ``tocsin bench
    ingest``; with this it takes less than 1 %. At the end all is handed back, or DuckDB's bindings
    would be torn down before what uses them and complain of leaks.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)
    collect_seldom()


def collect_seldom() -> None:
    """Look at young objects less often: a turn of work holds tens of thousands, in no cycle."""
    gc.set_threshold(50_000, 10, 20)
