"""A normalizer for the hunt: native fields and times, OCSF only as far as every event has it."""

from pathlib import Path

from tocsin.app.home.own_mappings import read_mappings_in, shipped_mappings, together
from tocsin.app.home.shipped import cache_folder
from tocsin.normalize.mapping import Expression
from tocsin.normalize.normalizer import Normalizer

_BARE = {"use": [], "map": {}, "activity": Expression(const=0), "severity": Expression(const=1)}


def hunting_normalizer(own: Path | None = None) -> Normalizer:
    """The mappings of every connector without what they make of the fields.

    ``own`` is a folder of one's own (``<connector>/mapping.yml``), which go first.

    Rules look at native fields and nothing else of a hunt is kept; mapping OCSF columns would
    take a tenth of its time.
    """
    first = read_mappings_in(own).by_connector if own is not None else {}
    return Normalizer(
        [
            mapping.model_copy(
                update={
                    "use": [],
                    "together": None,
                    "shapes": [shape.model_copy(update=_BARE) for shape in mapping.shapes],
                }
            )
            for mapping in together(first, shipped_mappings(cache_folder()))
        ]
    )
