"""A normalizer for the hunt: native fields and times, OCSF only as far as every event has it."""

from tocsin.connectors.catalog import mapping_paths
from tocsin.normalize.mapping import Expression, load_mapping
from tocsin.normalize.normalizer import Normalizer

_BARE = {"use": [], "map": {}, "activity": Expression(const=0), "severity": Expression(const=1)}


def hunting_normalizer() -> Normalizer:
    """The mappings of every connector without what they make of the fields.

    Rules look at native fields and nothing else of a hunt is kept; mapping OCSF columns would
    take a tenth of its time.
    """
    return Normalizer(
        [
            mapping.model_copy(
                update={
                    "use": [],
                    "together": None,
                    "shapes": [shape.model_copy(update=_BARE) for shape in mapping.shapes],
                }
            )
            for mapping in map(load_mapping, mapping_paths())
        ]
    )
