"""What of a folder or an archive belongs in a rule pack: rules, licences, attribution."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MOST_MEMBERS = 100_000
LARGEST_FILE_BYTES = 4 * 1024**2
LARGEST_PACK_BYTES = 256 * 1024**2
EVERYTHING = "."
"""In the place of a folder's name: rules are taken wherever they lie."""
_LONGEST_PATH = 400
_RULES = (".yml", ".yaml")
_KEPT_BESIDE = re.compile(
    r"(licen[cs]e|copying|notice|authors?|contributors?|attribution|origin|version)([.-].*)?",
    re.IGNORECASE,
)
_RULE_FOLDER = re.compile(r"rules(-[a-z-]+)?")


class PackRefused(Exception):
    """A pack that can't be taken as it is; names the member and says why."""


class UnknownPack(PackRefused):
    """No pack of that name is installed."""


@dataclass(frozen=True, slots=True)
class PackContent:
    """Files by their path below the pack, and how many members were left out, by folder.

    ``folders`` are those its rules were taken from, ``EVERYTHING`` when none was left out.
    """

    files: Mapping[str, bytes]
    left_out: Mapping[str, int]
    folders: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over paths and contents: equal packs are equal wherever they came from."""
        whole = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            whole.update(f"{path}\0{hashlib.sha256(content).hexdigest()}\n".encode())
        return whole.hexdigest()

    @property
    def rule_files(self) -> list[str]:
        return [path for path in sorted(self.files) if path.lower().endswith(_RULES)]

    @property
    def notices(self) -> list[str]:
        """Licence and attribution files."""
        return [path for path in sorted(self.files) if not path.lower().endswith(_RULES)]


def safe_path(name: str) -> str:
    """The member's path below the pack, ``""`` for the pack itself. Raises PackRefused."""
    if not name.isprintable() or "\\" in name:
        raise PackRefused(f"member {name!r}: its name holds characters no file of a pack needs")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or ":" in name.split("/")[0]:
        raise PackRefused(f"member {name!r} leads out of the pack")
    if len(name) > _LONGEST_PATH or len(name.encode()) > 4 * _LONGEST_PATH:
        raise PackRefused(f"member {name[:80]!r}…: a path of {len(name)} characters")
    return "" if str(path) == "." else str(path)


def is_wanted(path: str) -> bool:
    """Rules, and what says whose they are; nothing of hidden folders."""
    parts = PurePosixPath(path).parts
    if any(part.startswith(".") for part in parts):
        return False
    return path.lower().endswith(_RULES) or _KEPT_BESIDE.fullmatch(parts[-1]) is not None


def read_folder(folder: Path) -> dict[str, bytes]:
    """Wanted files of a folder by relative path. Raises PackRefused."""
    files: dict[str, bytes] = {}
    seen = total_bytes = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [*folders, *sorted(names)]:
            path = Path(place) / name
            inside = safe_path(path.relative_to(folder).as_posix())
            if path.is_symlink():
                raise PackRefused(f"{path} is a symbolic link; a pack holds files only")
            seen += 1
            if seen > MOST_MEMBERS:
                raise PackRefused(f"{folder}: more than {MOST_MEMBERS:,} files")
            if path.is_file() and is_wanted(inside):
                if path.stat().st_size > LARGEST_FILE_BYTES:
                    raise PackRefused(f"{path} is larger than {LARGEST_FILE_BYTES // 1024**2} MiB")
                files[inside] = path.read_bytes()
                within_bounds(files[inside], total_bytes)
                total_bytes += len(files[inside])
    return files


def within_bounds(content: bytes, total_bytes: int) -> None:
    """Raises PackRefused when the pack grows too large."""
    if total_bytes + len(content) > LARGEST_PACK_BYTES:
        raise PackRefused(f"the pack's files are larger than {LARGEST_PACK_BYTES // 1024**2} MiB")


def chosen(files: Mapping[str, bytes], folders: Iterable[str] = ()) -> PackContent:
    """What of the wanted files to take.

    One folder around everything is taken off. Of a repository that keeps its rules in ``rules``
    and ``rules-…`` only these are taken, unless ``folders`` says which (``.``: all). Raises PackRefused when
    no rule file is left.
    """
    inner = _without_root(files)
    _no_file_is_a_folder(inner)
    wanted = [folder.strip("/") or EVERYTHING for folder in folders]
    if not wanted:
        tops = {PurePosixPath(path).parts[0] for path in inner if "/" in path}
        wanted = sorted(top for top in tops if _RULE_FOLDER.fullmatch(top)) or [EVERYTHING]
    taken: dict[str, bytes] = {}
    left_out: Counter[str] = Counter()
    for path, content in inner.items():
        is_rule = path.lower().endswith(_RULES)
        if is_rule and not any(_is_in(path, one) for one in wanted):
            left_out[path.split("/")[0] if "/" in path else "."] += 1
        else:
            taken[path] = content
    pack = PackContent(taken, dict(left_out), tuple(wanted))
    if not pack.rule_files:
        where = "" if EVERYTHING in wanted else f" below {', '.join(wanted)}"
        raise PackRefused(f"there is no rule file (.yml, .yaml){where}")
    return pack


def _is_in(path: str, folder: str) -> bool:
    return folder == EVERYTHING or path.startswith(f"{folder}/")


def _without_root(files: Mapping[str, bytes]) -> dict[str, bytes]:
    roots = {path.split("/")[0] if "/" in path else "" for path in files}
    if len(roots) != 1 or _RULE_FOLDER.fullmatch(root := next(iter(roots))) or not root:
        return dict(files)
    return {path.partition("/")[2]: content for path, content in files.items()}


def _no_file_is_a_folder(files: Mapping[str, bytes]) -> None:
    for path in files:
        for above in PurePosixPath(path).parents:
            if str(above) in files:
                raise PackRefused(f"member {str(above)!r} is a file and a folder")
