"""One shape of a mapping, compiled: builds the event batch of its lane from records."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.field_path import roots_of
from tocsin.model.lane import Answer, Lane
from tocsin.normalize.envelope import ENVELOPE_TIMES, severity_of, with_fallbacks
from tocsin.normalize.expression import Computed, Fields, compile_expression, repeat
from tocsin.normalize.mapping import Expression, Mapping, Shape
from tocsin.normalize.ocsf_classes import CLASS_UIDS, category_uid
from tocsin.normalize.ocsf_columns import ocsf_columns
from tocsin.normalize.ocsf_types import Fitting, coded, fitting, to_integer, to_text
from tocsin.normalize.ocsf_version import OCSF_VERSION
from tocsin.normalize.patterns import captured
from tocsin.normalize.timestamps import event_times


class LaneShape:
    """A shape ready to run; ``lane`` names the stream of events it makes."""

    def __init__(self, mapping: Mapping, shape: Shape) -> None:
        self.lane = Lane(
            connector=mapping.connector,
            shape=shape.name,
            product=shape.logsource.product or mapping.product,
            categories=tuple(shape.logsource.categories),
            services=tuple(shape.logsource.services),
            also=tuple(
                Answer(one.product, tuple(one.categories), tuple(one.services))
                for one in (*mapping.also, *shape.also)
            ),
        )
        self._mapping = mapping
        self._shape = shape
        self._class_uid = CLASS_UIDS[shape.class_name]
        own_times = shape.time if shape.time is not None else mapping.time
        self._time = (*own_times, *ENVELOPE_TIMES)

    # What follows is compiled when the first record of the shape comes: most never do.

    @cached_property
    def _activity(self) -> Computed:
        return compile_expression(self._shape.activity)

    @cached_property
    def _severity(self) -> Computed:
        return compile_expression(severity_of(self._shape))

    @cached_property
    def _alias(self) -> dict[str, Computed]:
        aliases = self._mapping.alias.items()
        return _compiled({name: _first_of(name, paths) for name, paths in aliases})

    @cached_property
    def _let(self) -> dict[str, Computed]:
        return _compiled(self._shape.let)

    @cached_property
    def _added(self) -> dict[str, Computed]:
        return _compiled(self._shape.add)

    @cached_property
    def _mapped(self) -> list[tuple[str, Computed, Fitting]]:
        merged = with_fallbacks(ocsf_map(self._mapping, self._shape))
        return [
            (path, compile_expression(expression), fitting(path))
            for path, expression in merged.items()
        ]

    @cached_property
    def _reads(self) -> frozenset[str] | None:
        """Names its times, aliases and lifts are found under; None where more is made of fields."""
        shape, mapping = self._shape, self._mapping
        told = shape.activity.const is None or severity_of(shape).const is None
        made = shape.patterns or shape.add or ocsf_map(mapping, shape)
        if told or made or shape.is_ocsf or mapping.together:
            return None
        of_envelope = (part for one in with_fallbacks({}).values() for part in one.first_of or ())
        paths = [time.field for time in self._time] + [part.field or "" for part in of_envelope]
        for name, others in mapping.alias.items():
            paths += (name, *others)
        return frozenset().union(*map(roots_of, (*paths, *mapping.lift)))

    def needed(self, asked: frozenset[str] | None) -> frozenset[str] | None:
        """The names of the fields needed where ``asked`` are (None: all)."""
        return None if asked is None or self._reads is None else asked | self._reads

    def columns(
        self, decoded: pa.RecordBatch, received_us: npt.NDArray[np.int64]
    ) -> tuple[pa.RecordBatch, pa.RecordBatch, pa.Array]:
        """Native columns, OCSF columns and event times of records of this shape.

        ``decoded`` are the records' fields as they came; ``received_us`` are the times of receipt,
        microseconds since 1970, one a record.
        """
        native = _lifted(decoded, self._mapping.lift)
        native = _with(native, self._computed(native, self._alias))
        if self._shape.patterns:
            shape = self._shape
            found = captured(Fields(native), shape.patterns, shape.rename, shape.absent)
            native = _with(native, found)
        let = self._let_of(Fields(native))
        if self._added:
            native = _with(native, self._computed(native, self._added, let))
        ocsf, times = self._ocsf(Fields(native, let), received_us)
        return native, ocsf, times

    def _let_of(self, fields: Fields) -> dict[str, pa.Array | None]:
        found = {name: compute(fields) for name, compute in self._let.items()}
        return {name: None if array is None else coded(array) for name, array in found.items()}

    @staticmethod
    def _computed(
        native: pa.RecordBatch,
        computed: dict[str, Computed],
        let: dict[str, pa.Array | None] | None = None,
    ) -> dict[str, pa.Array]:
        fields = Fields(native, let)
        arrays: dict[str, pa.Array] = {}
        for name, compute in computed.items():
            at = native.schema.get_field_index(name)
            if at >= 0 and not native.column(at).null_count:
                continue  # a field of that name is there already, whole
            array = compute(fields)
            if array is not None and array.null_count < len(array):
                arrays[name] = array
        return arrays

    def _ocsf(
        self, fields: Fields, received_us: npt.NDArray[np.int64]
    ) -> tuple[pa.RecordBatch, pa.Array]:
        rows = len(fields)
        activity = _integers(self._activity(fields), 0, rows)
        base = self._class_uid * 100
        arrays: dict[str, pa.Array] = {
            "class_uid": _constant(self._class_uid, pa.int32(), rows),
            "category_uid": _constant(category_uid(self._class_uid), pa.int32(), rows),
            "activity_id": activity.cast(pa.int32()),
            "type_uid": pc.add(activity, base),
            "severity_id": _integers(self._severity(fields), 1, rows).cast(pa.int32()),
            "metadata.version": repeat(OCSF_VERSION, rows),
            "metadata.product.name": repeat(self._mapping.product_name, rows),
            "metadata.product.vendor_name": repeat(self._mapping.vendor, rows),
        }
        if self._shape.is_ocsf:
            arrays |= _over(arrays, ocsf_columns(fields.batch))
        for path, compute, fit in self._mapped:
            array = compute(fields)
            if array is None:
                continue
            array = fit(array)
            if array.null_count < rows:
                arrays[path] = array
        found = event_times(fields, self._time, received_us)
        if found.quality is not None:
            arrays["unmapped.time_quality"] = found.quality
        if found.original is not None and found.original.null_count < rows:
            arrays["metadata.original_time"] = found.original
        return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays)), found.times


def _over(told: dict[str, pa.Array], found: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """What was found, in the types and with the values of what is told anyway where it is null.

    A list where one value belongs is not taken over.
    """
    return {
        name: array
        if name not in told
        else told[name]
        if pa.types.is_nested(array.type)
        else pc.coalesce(array.cast(told[name].type, safe=False), told[name])
        for name, array in found.items()
        if name != "time"
    }


def _compiled(declared: dict[str, Expression]) -> dict[str, Computed]:
    return {name: compile_expression(expression) for name, expression in declared.items()}


def _first_of(name: str, paths: Sequence[str]) -> Expression:
    return Expression(first_of=[Expression(field=path) for path in (name, *paths)])


def ocsf_map(mapping: Mapping, shape: Shape) -> dict[str, Expression]:
    """Fragments in order, then the shape's own lines, which win."""
    merged: dict[str, Expression] = {}
    for name in (*mapping.use, *shape.use):
        merged |= mapping.fragments[name]
    return merged | shape.map


def _constant(value: int, kind: pa.DataType, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), rows)


def _integers(array: pa.Array | None, default: int, rows: int) -> pa.Array:
    if array is None:
        return _constant(default, pa.int64(), rows)
    whole = to_integer(array)
    return pc.fill_null(whole, default) if whole.null_count else whole


def _with(native: pa.RecordBatch, added: dict[str, pa.Array]) -> pa.RecordBatch:
    """``native`` and new columns; where a name is there already, only its nulls are filled."""
    if not added:
        return native
    names = list(native.schema.names)
    arrays = list(native.columns)
    places = {name: index for index, name in enumerate(names)}
    for name, array in added.items():
        at = places.get(name)
        if at is None:
            names.append(name)
            arrays.append(array)
        elif arrays[at].null_count:
            arrays[at] = _filled(arrays[at], array)
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _filled(column: pa.Array, other: pa.Array) -> pa.Array:
    if pa.types.is_nested(column.type) or pa.types.is_nested(other.type):
        return column
    if column.type != other.type:
        return pc.coalesce(to_text(column), to_text(other))
    return pc.coalesce(column, other)


def _lifted(native: pa.RecordBatch, prefixes: Sequence[str]) -> pa.RecordBatch:
    """Members of the named objects brought to the top; what is in the way stays inside."""
    for prefix in prefixes:
        root, _, rest = prefix.partition(".")
        at = native.schema.get_field_index(root)
        if at < 0 or not pa.types.is_struct(native.schema.field(at).type):
            continue
        taken = set(native.schema.names)
        kept, moved = _split_off(native.column(at), rest, taken)
        if not moved:
            continue
        names, arrays = list(native.schema.names), list(native.columns)
        if kept is None:
            del names[at], arrays[at]
        else:
            arrays[at] = kept
        names += list(moved)
        arrays += list(moved.values())
        native = pa.RecordBatch.from_arrays(arrays, names=names)
    return native


def _split_off(
    struct: pa.StructArray, path: str, taken: set[str]
) -> tuple[pa.Array | None, dict[str, pa.Array]]:
    """The struct without the members that move, and those members."""
    names = [struct.type.field(index).name for index in range(struct.type.num_fields)]
    members = {name: pc.struct_field(struct, [at]) for at, name in enumerate(names)}
    if path:
        step, _, rest = path.partition(".")
        inner = members.get(step)
        if inner is None or not pa.types.is_struct(inner.type):
            return struct, {}
        kept, moved = _split_off(inner, rest, taken)
        if kept is None:
            del members[step]
        else:
            members[step] = kept
    else:
        moved = {name: array for name, array in members.items() if name not in taken}
        members = {name: array for name, array in members.items() if name in taken}
    if not members:
        return None, moved
    mask = struct.is_null()
    left = pa.StructArray.from_arrays(list(members.values()), names=list(members), mask=mask)
    return left, moved
