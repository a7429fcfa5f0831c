"""Keeps Python's cycle collector from walking all that lives as long as the process does."""

import gc


def spare_long_lived() -> None:
    """Call once the house is open, in a process that goes on to work.

    Rules, mappings and libraries are set aside from collection, and young objects are looked at
    less often: a turn of the flow holds tens of thousands of records in no cycle at all. Measured
    by ``tocsin bench ingest``: 1.28 times as many records a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 20)
