"""Where a value of an event leads: other searches, the page of what it names, the alerts about it."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote

from tocsin.console.search_state import SearchState, field_name
from tocsin.console.visit import with_query
from tocsin.model.entity import Entity, EntityKind
from tocsin.store.fields import NATIVE
from tocsin.store.lucene import quoted

_ANYWHERE_LENGTH = 3
_KINDS = (
    ("hostname", EntityKind.HOST),
    ("device.name", EntityKind.HOST),
    ("computer", EntityKind.HOST),
    ("user.name", EntityKind.USER),
    ("cloud.account.uid", EntityKind.CLOUD_ACCOUNT),
)
"""How a field ends whose values name an entity, and which kind."""


@dataclass(frozen=True, slots=True)
class Pivot:
    """One way from a value; ``icon`` is that of the page it leads to."""

    title: str
    path: str
    icon: str


def entity_of(field: str, value: str) -> Entity | None:
    """What the value names, None when it is nothing with a page."""
    name = value.strip().lower()
    try:
        return Entity(EntityKind.ADDRESS, str(ipaddress.ip_address(name)))
    except ValueError:
        ending = field.removeprefix(NATIVE).lower()
        kind = next((kind for end, kind in _KINDS if ending.endswith(end)), None)
        return Entity(kind, name) if kind and name else None


def pivots(query: SearchState, field: str, value: str) -> list[Pivot]:
    """The ways from one value of a field."""
    term = f"{field_name(field)}:{quoted(value)}"
    alone = query.address(q=term, cursor="", record="", around="")
    found = [
        Pivot("Only this value", query.with_term(field, value), "plus"),
        Pivot("Without this value", query.with_term(field, value, without=True), "minus"),
        Pivot("Search this value alone", alone, "search"),
    ]
    if len(value) >= _ANYWHERE_LENGTH:
        anywhere = query.address(q=quoted(value), cursor="", record="", around="")
        found.append(Pivot("Search it in all text", anywhere, "search"))
    has_field = query.with_clause(f"_exists_:{field_name(field)}")
    found.append(Pivot("Events that have this field", has_field, "check"))
    shown = field in query.shown_columns()
    column = "Take the column away" if shown else "Show as a column"
    found.append(Pivot(column, query.with_column(field), "rule"))
    entity = entity_of(field, value)
    if entity is not None:
        title = f"Page of {entity.name}"[:60]
        found.append(Pivot(title, f"/entities/{quote(entity.key)}", entity.kind.value))
    alerts = with_query("/queue", {"tab": "alerts", "q": value[:200]})
    found.append(Pivot("Alerts that name it", alerts, "alert"))
    return found
