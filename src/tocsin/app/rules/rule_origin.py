"""Where a rule comes from: a pack, what ships, the house's own folder, or another folder."""

from pathlib import Path

from tocsin.app.home.shipped import CONTENT

SHIPPED, OWN, ELSEWHERE = ":shipped", ":own", ":elsewhere"
"""Stand for origins that are no pack; no pack's name begins so."""


def origin_of(path: str, home: Path) -> str:
    """The pack a rule file belongs to, else ``SHIPPED``, ``OWN`` or ``ELSEWHERE``."""
    packs = f"{home}/packs/"
    if path.startswith(packs):
        return path[len(packs) :].partition("/")[0]
    if not path or path.startswith(f"{CONTENT}/"):
        return SHIPPED
    return OWN if path.startswith(f"{home}/rules/") else ELSEWHERE
