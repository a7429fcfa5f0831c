"""How much is tried where the number is a matter of time: ``TOCSIN_TEST_DEEP=1`` tries far more."""

import os

DEEP = os.environ.get("TOCSIN_TEST_DEEP") == "1"


def examples(quick: int) -> int:
    """How many examples a property is held to; every run makes new ones."""
    return quick * 20 if DEEP else quick
