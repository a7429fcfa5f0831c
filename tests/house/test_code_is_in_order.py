"""The house rules that no linter knows, read off the code itself."""

import ast
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.places import REPOSITORY, SOURCE

MODULES = sorted(path for path in SOURCE.rglob("*.py") if "node_modules" not in path.parts)
ROOMS = sorted(path for path in SOURCE.iterdir() if path.is_dir() and list(path.glob("*.py")))
VAGUE = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "base",
    "core",
    "manager",
    "service",
    "misc",
}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
MOST_MODULES = 40


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE.parent))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Code:
    """What the rules ask of a module, kept so that it is parsed once."""

    docstring: str
    long_functions: tuple[str, ...]
    imported: frozenset[str]


@cache
def _code(path: Path) -> _Code:
    tree = ast.parse(_text(path))
    long, imported = [], set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION:
                long.append(f"{node.name} (line {node.lineno})")
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    return _Code(ast.get_docstring(tree) or "", tuple(long), frozenset(imported))


def test_there_is_code_to_read() -> None:
    assert len(MODULES) > 50


def test_a_file_holds_one_idea() -> None:
    long = [
        f"{_name(path)} has {lines} lines; split it where its idea splits"
        for path in MODULES
        if (lines := _text(path).count("\n")) > LONGEST_FILE
    ]
    assert not long


def test_a_function_fits_on_a_screen() -> None:
    long = [
        f"{_name(path)}: {name} is longer than {LONGEST_FUNCTION} lines"
        for path in MODULES
        if "versions" not in path.parts  # a migration is a list of columns
        for name in _code(path).long_functions
    ]
    assert not long


def test_a_module_says_what_it_is_for() -> None:
    assert not [_name(path) for path in MODULES if not _code(path).docstring]


@pytest.mark.parametrize("path", [room / "__init__.py" for room in ROOMS], ids=_name)
def test_a_room_says_what_goes_in_and_out(path: Path) -> None:
    docstring = _code(path).docstring
    assert "In:" in docstring, f"{_name(path)}: say 'In: … Out: …'"
    assert "Out:" in docstring, f"{_name(path)}: say 'In: … Out: …'"


def test_no_name_is_vague() -> None:
    vague = [_name(path) for path in SOURCE.rglob("*") if path.stem.lower() in VAGUE]
    assert not vague


def test_a_module_lies_in_a_room_or_on_one_of_its_shelves() -> None:
    """``room/module.py`` or ``room/shelf/module.py``; engines and migrations go a level deeper."""
    deeper = {"engines", "migrations"}
    deep = [
        _name(path)
        for path in MODULES
        if len(path.relative_to(SOURCE).parts) > (4 if deeper & set(path.parts) else 3)
    ]
    assert not deep


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    """Folders to which each addition adds a file may hold as many as they like."""
    lists = {"pages", "commands", "routes", "versions"}
    held = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    crowded = [
        f"{_name(folder)} holds {modules} modules; sort them onto shelves"
        for folder, modules in held.items()
        if modules > MOST_MODULES and folder.name not in lists
    ]
    assert not crowded


def test_the_product_never_imports_its_tests() -> None:
    assert not [
        f"{_name(path)} imports {name}"
        for path in MODULES
        for name in _code(path).imported
        if name.split(".")[0] == "tests"
    ]


def test_the_environment_is_read_in_one_place() -> None:
    """Settings come from ``config``; the cache folder's XDG variable is asked by ``shipped``."""
    read = {_name(path) for path in MODULES if re.search(r"os\.environ|os\.getenv", _text(path))}
    assert read <= {"tocsin/app/settings/config.py", "tocsin/app/home/shipped.py"}


def test_templates_trust_no_text() -> None:
    unsafe = [
        _name(path)
        for path in SOURCE.rglob("*.html")
        if re.search(r"\|\s*safe\b|autoescape\s+false", _text(path))
    ]
    assert not unsafe


def test_no_unfinished_marks() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError")
    found = [_name(path) for path in MODULES if marks.search(_text(path))]
    assert not found


def test_layers_hold() -> None:
    done = subprocess.run(  # noqa: S603
        [str(REPOSITORY / ".venv" / "bin" / "lint-imports"), "--no-cache"]
        if (REPOSITORY / ".venv" / "bin" / "lint-imports").exists()
        else ["lint-imports", "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
