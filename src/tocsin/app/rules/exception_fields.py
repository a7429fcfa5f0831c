"""Which fields of an exception no event that its rule looks at ever had: it hides nothing by them."""

from collections.abc import Collection, Mapping

from tocsin.detect.rules.overlay import Scalar

_EXISTS = "exists"


def unseen_fields(
    fields: Mapping[str, tuple[Scalar, ...]], shown: Collection[str]
) -> tuple[str, ...]:
    """Names without modifiers, in order; none while ``shown``, what was ever seen, is empty.

    A field that is asked to be absent need not have been seen.
    """
    if not shown:
        return ()
    found: dict[str, None] = {}
    for key, values in fields.items():
        name, *modifiers = key.split("|")
        if name not in shown and None not in values and _EXISTS not in modifiers:
            found[name] = None
    return tuple(found)
