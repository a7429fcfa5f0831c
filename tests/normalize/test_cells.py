"""Cells of several payloads as one."""

import numpy as np
import pyarrow as pa

from tocsin.model.shaped_records import CellKind, ShapedRecords
from tocsin.normalize.cells import Cells


def test_cells_that_payloads_share_are_kept_once() -> None:
    texts, scalars = pa.array(["a", "", "b"]), pa.array(["1", "", "2"])
    parts = [ShapedRecords(texts, scalars, (), {}) for _ in range(1_000)]
    cells = Cells([*parts, ShapedRecords(pa.array(["c"]), scalars, (), {})])
    assert cells.first_texts == [0] * 1_000 + [3]
    assert set(cells.first_scalars) == {0}
    assert cells.texts(CellKind.TEXT, np.array([2, 3, 0])).to_pylist() == ["b", "c", "a"]
    assert cells.texts(CellKind.NUMBER, np.array([2])).to_pylist() == ["2"]
