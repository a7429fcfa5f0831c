"""Writes docs/reference/tree.md: every room, shelf and module with the sentence it opens with."""

import ast
from pathlib import Path

from tests.places import SOURCE

_ROOMS = (
    "cli",
    "api",
    "console",
    "app",
    "ingest",
    "normalize",
    "detect",
    "triage",
    "cases",
    "respond",
    "exercise",
    "connectors",
    "store",
    "model",
)
_NO_SHELVES = {"connectors", "migrations", "static"}


def tree_page() -> str:
    """Rooms from the doors down to the nouns; a shelf's modules are listed below its sentence."""
    lines = [
        "# The tree\n",
        "Rooms from the doors down to the nouns, with their shelves and modules, each in the",
        "sentence it opens with. How they may know each other: `ARCHITECTURE.md`.\n",
    ]
    for name in _ROOMS:
        room = SOURCE / name
        lines += [f"## {name}\n", f"{_sentence(room / '__init__.py')}\n"]
        lines += _modules(room)
        for shelf in _shelves(room):
            lines += [f"### {shelf.relative_to(SOURCE)}\n", f"{_sentence(shelf / '__init__.py')}\n"]
            lines += _modules(shelf)
    return "\n".join(lines).rstrip() + "\n"


def _shelves(room: Path) -> list[Path]:
    if room.name in _NO_SHELVES:
        return []
    inits = sorted(room.glob("*/__init__.py")) + sorted(room.glob("*/*/__init__.py"))
    return sorted({path.parent for path in inits if not _NO_SHELVES & set(path.parts)})


def _modules(folder: Path) -> list[str]:
    modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    return [f"- `{path.stem}`: {_sentence(path)}" for path in modules] + [""] * bool(modules)


def _sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = docstring.split("\n\n")[0].replace("\n", " ")
    return first.split(" In: ")[0].replace("*", "\\*").replace("<", "\\<")
