"""The fields people filter by: for completion and for the side bar."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from tocsin.normalize.ocsf_classes import CLASS_UIDS
from tocsin.store.fields import NATIVE, WHOLE_NATIVE
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS

SIDE_FIELDS = (
    ("source", "Source"),
    ("lane", "Lane"),
    ("severity_id", "Severity"),
    ("device.hostname", "Host"),
    ("user.name", "User"),
    ("actor.user.name", "Actor"),
    ("src_endpoint.ip", "From address"),
    ("dst_endpoint.ip", "To address"),
    ("process.name", "Process"),
    ("status", "Outcome"),
    ("api.operation", "Operation"),
    ("query.hostname", "DNS name"),
)
"""What the side bar offers, first what is asked most."""
OPEN_FIELDS = 3


def complete(prefix: str, seen: Iterable[str], limit: int = 12) -> Iterator[tuple[str, str]]:
    """Fields whose name begins with (then: contains) ``prefix``, each with what it stands for.

    ``seen`` are names beyond those every store has.
    """
    wanted = prefix.lower()
    names: dict[str, str] = dict.fromkeys(ENVELOPE, "envelope")
    for column in HOT_COLUMNS:
        names.update(dict.fromkeys(column.aliases, column.path))
    for column in HOT_COLUMNS:
        names.setdefault(column.path, "OCSF")
    names[WHOLE_NATIVE] = "any field of the source; slow"
    for name in seen:
        names.setdefault(name, "of the source" if name.startswith(NATIVE) else "OCSF")
    found = sorted(
        (name for name in names if wanted in name.lower()),
        key=lambda name: (_rank(name, wanted), len(name), name),
    )
    for name in found[:limit]:
        yield name, names[name]


def _rank(name: str, wanted: str) -> int:
    """Names that begin so come first, then native ones whose own name does, then the rest."""
    plain = name.lower()
    if plain.startswith(wanted):
        return 0
    return 1 if plain.removeprefix(NATIVE).startswith(wanted) else 2


_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "severity_id": {
            "0": "Unknown",
            "1": "Informational",
            "2": "Low",
            "3": "Medium",
            "4": "High",
            "5": "Critical",
            "6": "Fatal",
        },
        "status_id": {"0": "Unknown", "1": "Success", "2": "Failure", "99": "Other"},
        "category_uid": {
            "1": "System activity",
            "2": "Findings",
            "3": "Identity and access",
            "4": "Network activity",
            "5": "Discovery",
            "6": "Application activity",
            "7": "Remediation",
            "8": "Unmanned systems",
        },
        "class_uid": {
            str(uid): name.rpartition("/")[2].replace("_", " ").capitalize()
            for name, uid in CLASS_UIDS.items()
        },
    }
)
"""What OCSF 1.8.0's numbers mean, by field."""


def value_title(field: str, value: str) -> str:
    """A value as people read it: OCSF's numbers by their names."""
    return _NAMES.get(field, {}).get(value, value)


def short_host(name: object) -> str:
    """A host without its domain; an address stays whole."""
    text = str(name or "")
    first = text.partition(".")[0]
    return text if not first or first.isdigit() else first
