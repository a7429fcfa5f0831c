"""The house rules that no linter knows, read off the code itself."""

import ast
import re
import subprocess
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


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE.parent))


def test_there_is_code_to_read() -> None:
    assert len(MODULES) > 50


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_file_holds_one_idea(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST_FILE, f"{_name(path)} has {lines} lines; split it where its idea splits"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    if "versions" in path.parts:
        return  # a migration is a list of columns
    tree = ast.parse(path.read_text(encoding="utf-8"))
    long = [
        f"{node.name} (line {node.lineno})"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert not long, f"{_name(path)}: longer than {LONGEST_FUNCTION} lines: {', '.join(long)}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{_name(path)} opens with no sentence"


@pytest.mark.parametrize("path", [room / "__init__.py" for room in ROOMS], ids=_name)
def test_a_room_says_what_goes_in_and_out(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert "In:" in docstring, f"{_name(path)}: say 'In: … Out: …'"
    assert "Out:" in docstring, f"{_name(path)}: say 'In: … Out: …'"


def test_no_name_is_vague() -> None:
    vague = [_name(path) for path in SOURCE.rglob("*") if path.stem.lower() in VAGUE]
    assert not vague


def test_folders_go_two_levels_deep() -> None:
    third_level = {
        "connectors",
        "engines",
        "routes",
        "pages",
        "commands",
        "migrations",
        "correlate",
    }
    deep = [
        _name(path)
        for path in MODULES
        if len(path.relative_to(SOURCE).parts) > 2 and not third_level & set(path.parts)
    ]
    assert not deep


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_the_product_never_imports_its_tests(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        assert not [name for name in names if name.split(".")[0] == "tests"]


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_the_environment_is_read_in_one_place(path: Path) -> None:
    """Settings come from app/config.py; the cache folder's XDG variable from app/shipped.py."""
    if _name(path) in {"tocsin/app/config.py", "tocsin/app/shipped.py"}:
        return
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"os\.environ|os\.getenv", text), f"{_name(path)} reads the environment"


def test_templates_trust_no_text() -> None:
    unsafe = [
        _name(path)
        for path in SOURCE.rglob("*.html")
        if re.search(r"\|\s*safe\b|autoescape\s+false", path.read_text(encoding="utf-8"))
    ]
    assert not unsafe


def test_no_unfinished_marks() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError")
    found = [_name(path) for path in MODULES if marks.search(path.read_text(encoding="utf-8"))]
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
