"""Where one can go: the menu by role, the letters that lead there, the first page of each role."""

from dataclasses import dataclass

from tocsin.model.principal import Permission, Principal, Role


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the menu. ``letter`` after g leads to it."""

    title: str
    path: str
    icon: str
    letter: str
    permission: Permission
    group: str
    counter: str = ""


PLACES = (
    Place("Queue", "/queue", "queue", "q", Permission.ALERTS_READ, "Triage", "alerts"),
    Place("Cases", "/cases", "case", "c", Permission.CASES_READ, "Triage", "cases"),
    Place("Search", "/search", "search", "s", Permission.EVENTS_SEARCH, "Hunt"),
    Place(
        "Approvals", "/approvals", "approval", "a", Permission.RESPONSE_READ, "Respond", "approvals"
    ),
    Place("Leases", "/leases", "lease", "l", Permission.RESPONSE_READ, "Respond", "leases"),
    Place("Sources", "/sources", "source", "o", Permission.SOURCES_READ, "Operate", "silent"),
    Place("Health", "/health", "status", "h", Permission.SOURCES_READ, "Operate"),
    Place("Storage", "/storage", "storage", "d", Permission.SOURCES_READ, "Operate"),
    Place("Rules", "/rules", "rule", "r", Permission.RULES_READ, "Operate"),
    Place("Coverage", "/coverage", "coverage", "v", Permission.RULES_READ, "Operate"),
)

_FIRST = {
    Role.ANALYST: "/queue",
    Role.RESPONDER: "/cases",
    Role.HUNTER: "/search",
    Role.ENGINEER: "/sources",
    Role.MANAGER: "/queue",
    Role.OPERATIONS: "/approvals",
    Role.ADMINISTRATOR: "/queue",
}


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A place as the menu shows it on one page."""

    place: Place
    current: bool


def places(principal: Principal) -> list[Place]:
    """The places a person may enter."""
    return [place for place in PLACES if principal.may(place.permission)]


def menu(principal: Principal, path: str) -> list[tuple[str, list[MenuItem]]]:
    """The menu in its groups, with the place ``path`` belongs to marked."""
    groups: dict[str, list[MenuItem]] = {}
    for place in places(principal):
        groups.setdefault(place.group, []).append(MenuItem(place, _belongs(path, place)))
    return list(groups.items())


def first_page(principal: Principal) -> str:
    """Where a person starts: the first role's page that they may enter."""
    allowed = [place.path for place in places(principal)]
    for role in principal.roles:
        if _FIRST[role] in allowed:
            return _FIRST[role]
    return allowed[0] if allowed else "/password"


def _belongs(path: str, place: Place) -> bool:
    if place.path == "/queue" and path.startswith(("/alerts/", "/entities/")):
        return True
    if place.path == "/cases" and path.startswith("/runs/"):
        return True
    if place.path == "/rules" and path.startswith("/packs"):
        return True
    return path == place.path or path.startswith(f"{place.path}/")
