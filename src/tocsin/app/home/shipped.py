"""What ships ready to use and where it is: rules, playbooks, policies, mappings."""

import os
from pathlib import Path

import tocsin
from tocsin.app.home.own_mappings import read_own_mappings, shipped_mappings, together
from tocsin.app.home.pack_shelf import PackShelf
from tocsin.app.settings.config import Settings
from tocsin.normalize.normalizer import Normalizer

PACKAGE = Path(tocsin.__file__).parent
CONTENT = PACKAGE / "content"
PLAYBOOKS = CONTENT / "playbooks"
POLICIES = CONTENT / "policies"


def rule_paths(settings: Settings) -> list[Path]:
    """Where rules are read from: what ships, ``rules/`` in the home, its packs, and what is set.

    Of rules with one id the first is used: so one's own win over those of packs.
    """
    paths = [CONTENT / "rules"] if settings.detect.shipped_pack else []
    own = settings.home / "rules"
    if own.is_dir():
        paths.append(own)
    return [*paths, *PackShelf(settings.home).rule_paths(), *settings.detect.rules]


def cache_folder() -> Path:
    """Where compiled rules and parsed mappings are kept between runs (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "tocsin"


def open_normalizer(home: Path | None = None) -> Normalizer:
    """The normalizer with the mappings of every connector, and of ``home`` those that are good."""
    own = read_own_mappings(home).by_connector if home is not None else {}
    return Normalizer(together(own, shipped_mappings(cache_folder())))
