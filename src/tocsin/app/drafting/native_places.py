"""Where a lane keeps natively what a search names: the inverse of its mapping, as far as there is one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tocsin.model.lane import Lane
from tocsin.normalize.envelope import with_fallbacks
from tocsin.normalize.lane_shape import ocsf_map
from tocsin.normalize.mapping import Expression, Shape
from tocsin.normalize.mapping import Mapping as LaneMapping
from tocsin.normalize.ocsf_classes import CLASS_UIDS
from tocsin.store.fields import NATIVE
from tocsin.store.hot_columns import ENVELOPE, hot_column_by_name

_TAILS = {r"([^\\/]+)$": "\\", r"([^\\]+)$": "\\", r"([^/]+)$": "/"}
"""Expressions that take what is behind the last separator."""


@dataclass(frozen=True, slots=True)
class NativePlace:
    """A native field that holds the value: whole, or behind the last ``separator``.

    ``values`` gives what the field says for a value (lower case) of a table; a ``constant`` is
    what every event of the lane has.
    """

    field: str = ""
    separator: str = ""
    values: Mapping[str, tuple[str, ...]] | None = None
    constant: str | None = None


class NotNative(Exception):
    """The lane has no native field that says this; the message says why."""


class NativePlaces:
    """Of one lane, by the names a filter may use."""

    def __init__(self, lane: Lane, mapping: LaneMapping | None) -> None:
        self._lane = lane
        self._mapping = mapping
        shapes = mapping.shapes if mapping else []
        self._shape = next((one for one in shapes if one.name == lane.shape), None)

    def of(self, name: str) -> list[NativePlace]:
        """The places, the best first. Raises ``NotNative``."""
        if name == "lane":
            return [NativePlace(constant=self._lane.id)]
        if name in ENVELOPE:
            raise NotNative(f"{name} is no field of the record: rules say nothing about it")
        if name.startswith(NATIVE):
            return [NativePlace(name.removeprefix(NATIVE))]
        column = hot_column_by_name().get(name)
        path = column.path if column else name
        if self._mapping is None or self._shape is None:
            raise NotNative(f"nothing is known of how {self._lane.id} comes to {path}")
        expression = self._expression(path, self._mapping, self._shape)
        if expression is None:
            raise NotNative(f"events of {self._lane.id} have no {path}")
        found = list(self._places(expression, path))
        if not found:
            raise NotNative(f"{path} is worked out of several fields of {self._lane.id}")
        return found

    def _expression(self, path: str, mapping: LaneMapping, shape: Shape) -> Expression | None:
        of_shape = {
            "class_uid": Expression(const=CLASS_UIDS[shape.class_name]),
            "category_uid": Expression(const=CLASS_UIDS[shape.class_name] // 1000),
            "activity_id": shape.activity,
            "severity_id": shape.severity,
            "metadata.product.name": Expression(const=mapping.product_name),
            "metadata.product.vendor_name": Expression(const=mapping.vendor),
        }
        return with_fallbacks(ocsf_map(mapping, shape)).get(path) or of_shape.get(path)

    def _places(self, one: Expression, path: str) -> Iterator[NativePlace]:
        if one.const is not None:
            yield NativePlace(constant=_text(one.const))
        elif one.first_of is not None and not one.extract and not one.split:
            for inner in one.first_of:
                yield from (_looked_up(place, one) for place in self._places(inner, path))
        elif one.field is not None and not (one.hex or one.present is not None or one.join):
            named = self._shape.let.get(one.field) if self._shape else None
            inner_places = (
                self._places(named, path) if named is not None else [NativePlace(one.field)]
            )
            for place in inner_places:
                if one.extract is not None and one.extract not in _TAILS:
                    continue
                if one.split is not None and one.part != -1:
                    continue
                separator = _TAILS.get(one.extract or "", one.split or place.separator)
                yield _looked_up(replace(place, separator=separator), one)


def _looked_up(place: NativePlace, one: Expression) -> NativePlace:
    if one.lookup is None:
        return place
    values: dict[str, tuple[str, ...]] = {}
    for native, told in one.lookup.items():
        key = _text(told).casefold()
        values[key] = (*values.get(key, ()), native)
    return replace(place, values=values)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
