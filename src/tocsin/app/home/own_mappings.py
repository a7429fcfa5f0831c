"""One's own mappings: the folder ``mappings/`` of the data folder, beside those that ship."""

import re
from collections.abc import Mapping as ByName
from dataclasses import dataclass
from pathlib import Path

from tocsin.connectors.catalog import mapping_paths
from tocsin.normalize.errors import MappingError, MappingProblem
from tocsin.normalize.mapping import Mapping, load_mapping
from tocsin.normalize.parsed_files import ParsedFiles
from tocsin.normalize.shape_sorting import ShapeSorter

FOLDER = "mappings"
CONNECTOR_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class OwnMappings:
    """What the folder holds, by connector, and what in it can't be used."""

    by_connector: ByName[str, Mapping]
    problems: tuple[MappingProblem, ...] = ()


def own_mapping_paths(home: Path) -> list[Path]:
    """``mappings/<connector>/mapping.yml``; empty where there is no such folder."""
    return mapping_paths_in(home / FOLDER)


def mapping_paths_in(folder: Path) -> list[Path]:
    """``<connector>/mapping.yml`` within ``folder``."""
    return sorted(folder.glob("*/mapping.yml"))


def every_mapping_path(home: Path) -> list[Path]:
    """One's own, then those that ship and are not replaced by one of the same name."""
    own = own_mapping_paths(home)
    names = {path.parent.name for path in own}
    return [*own, *(path for path in mapping_paths() if path.parent.name not in names)]


def shipped_mappings(cache: Path) -> list[Mapping]:
    """The mappings of every connector that ships; what they say is kept in the folder ``cache``."""
    texts = ParsedFiles(cache / "mappings.json")
    mappings = [load_mapping(path, texts.parsed) for path in mapping_paths()]
    texts.keep()
    return mappings


def read_own_mappings(home: Path) -> OwnMappings:
    """All of the data folder's that can be used; one that can't be stops no other."""
    return read_mappings_in(home / FOLDER)


def read_mappings_in(folder: Path) -> OwnMappings:
    """All of ``<connector>/mapping.yml`` in ``folder`` that can be used."""
    found: dict[str, Mapping] = {}
    problems: list[MappingProblem] = []
    for path in mapping_paths_in(folder):
        try:
            found[path.parent.name] = read_own_mapping(path, path.parent.name)
        except MappingError as error:
            problems += error.problems
    return OwnMappings(found, tuple(problems))


def read_own_mapping(path: Path, connector: str) -> Mapping:
    """The mapping in ``path``, which is to be that of ``connector``; raises ``MappingError``."""
    if not CONNECTOR_NAME.fullmatch(connector):
        reason = f"{connector!r} can't name a connector: lower-case letters, digits, underscores"
        raise MappingError([MappingProblem(path, 0, reason)])
    mapping = load_mapping(path)
    if mapping.connector != connector:
        reason = f"connector is {mapping.connector!r}, but its folder is called {connector!r}"
        raise MappingError([MappingProblem(path, _line_of(path, "connector:"), reason)])
    try:
        ShapeSorter([mapping])
    except Exception as error:
        reason = f"can't be used: {type(error).__name__}: {error}"
        raise MappingError([MappingProblem(path, 0, reason)]) from error
    return mapping


def together(own: ByName[str, Mapping], shipped: list[Mapping]) -> list[Mapping]:
    """Own ones before those that ship; of two with one name one's own counts."""
    return [*own.values(), *(one for one in shipped if one.connector not in own)]


def _line_of(path: Path, start: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(start)), 0)
