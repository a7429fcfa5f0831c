"""Sorts decoded records to the shapes that claim them, all mappings compiled for it."""

from collections.abc import Sequence

import numpy as np

from tocsin.model.lane import Lane
from tocsin.normalize.cells import Numbers
from tocsin.normalize.gathered import Gathered, LaneRows
from tocsin.normalize.lane_shape import LaneShape
from tocsin.normalize.mapping import Mapping
from tocsin.normalize.recognition import Claim, Recognizer, Split, claim_of
from tocsin.normalize.shaped_rows import Rows
from tocsin.normalize.unknown import unknown_mapping


class ShapeSorter:
    """Who claims what, for one set of mappings; of equal ``order`` the earlier is asked first."""

    def __init__(self, mappings: Sequence[Mapping]) -> None:
        self._shapes: list[LaneShape] = []
        claims: list[Claim] = []
        fallbacks: list[Claim] = []
        by_connector: dict[str, list[Claim]] = {}
        for mapping in sorted(mappings, key=lambda mapping: mapping.order):
            for shape in mapping.shapes:
                required = (mapping.recognize, shape.recognize)
                claim = claim_of(
                    len(self._shapes), required, shape.any_of, mapping.alias, mapping.lift
                )
                (fallbacks if shape.fallback else claims).append(claim)
                by_connector.setdefault(mapping.connector, []).append(claim)
                self._shapes.append(LaneShape(mapping, shape))
        unknown = unknown_mapping()
        self._unknown = LaneShape(unknown, unknown.shapes[0])
        self._recognizer = Recognizer([*claims, *fallbacks])
        self._hinted = {connector: Recognizer(own) for connector, own in by_connector.items()}

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane that events may come in, the unknown one last."""
        return (*(shape.lane for shape in self._shapes), self._unknown.lane)

    def sorted(self, gathered: Gathered, connector: str | None) -> list[tuple[LaneShape, LaneRows]]:
        """The rows of each shape; ``connector``, where it is known, is asked before all others."""
        return [
            (self._unknown if shape is None else self._shapes[shape], rows)
            for shape, rows in self._rows_of(gathered, connector).items()
        ]

    def _rows_of(self, gathered: Gathered, connector: str | None) -> dict[int | None, LaneRows]:
        """The rows of each shape's lane, shaped and loose; None is no shape's."""
        loose: dict[int | None, Numbers] = {}
        if gathered.loose:
            rows = np.fromiter(gathered.loose, np.int64, len(gathered.loose))
            for shape, places in self._grouped(list(gathered.loose.values()), connector):
                loose[shape] = rows[places]
        shaped: dict[int | None, list[Rows]] = {}
        for group, split in zip(gathered.shaped, self._split(gathered, connector), strict=True):
            for shape, chosen in split:
                whole = len(chosen) == len(group.rows)
                shaped.setdefault(shape, []).append(group if whole else group.of(chosen))
        nothing = np.zeros(0, np.int64)
        return {
            shape: LaneRows(shaped.get(shape, ()), loose.get(shape, nothing))
            for shape in dict.fromkeys([*shaped, *loose])
        }

    def _split(self, gathered: Gathered, connector: str | None) -> list[Split]:
        """For each group of shaped records the places of its records by shape."""
        cells, groups = gathered.cells, gathered.shaped
        if cells is None:
            return []
        own = self._hinted.get(connector) if connector else None
        if own is None:
            return self._recognizer.split(cells, groups)
        splits: list[Split] = []
        for group, split in zip(groups, own.split(cells, groups), strict=True):
            left = [chosen for shape, chosen in split if shape is None]
            kept: Split = [(shape, chosen) for shape, chosen in split if shape is not None]
            if left:
                (rest,) = self._recognizer.split(cells, [group.of(left[0])])
                kept += [(shape, left[0][places]) for shape, places in rest]
            splits.append(kept)
        return splits

    def _grouped(
        self, records: Sequence[dict[str, object]], connector: str | None
    ) -> list[tuple[int | None, list[int]]]:
        own = self._hinted.get(connector) if connector else None
        if own is None:
            return self._recognizer.group(records)
        everything = dict(own.group(records))
        left = everything.pop(None, [])
        for shape, rows in self._recognizer.group([records[row] for row in left]):
            everything[shape] = sorted([*everything.get(shape, []), *(left[row] for row in rows)])
        return list(everything.items())
