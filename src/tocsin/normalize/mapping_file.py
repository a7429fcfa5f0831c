"""Reads mapping files and says where in them something is wrong."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tocsin.normalize.errors import MappingError, MappingProblem
from tocsin.normalize.parsed_files import parsed

Parse = Callable[[str], Any]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file and what it holds."""

    path: Path
    text: str
    content: dict[str, Any]


def read_documents(path: Path, parse: Parse = parsed) -> tuple[Document, list[Document]]:
    """The mapping file and the files its ``include`` names, in order."""
    main = _read(path, parse)
    included = main.content.get("include") or []
    if not isinstance(included, list):
        raise MappingError([MappingProblem(path, 0, "include must be a list of file names")])
    for name in map(str, included):
        if Path(name).name != name:
            reason = f"include names {name!r}: only files of the same folder can be"
            raise MappingError([MappingProblem(path, 0, reason)])
    return main, [_read(path.parent / str(name), parse) for name in included]


def _read(path: Path, parse: Parse) -> Document:
    try:
        text = path.read_text(encoding="utf-8")
        content = parse(text)
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError([MappingProblem(path, 0, f"can't be read: {error}")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = f"is not valid YAML: {getattr(error, 'problem', None) or error}"
        line = mark.line + 1 if mark else 0
        raise MappingError([MappingProblem(path, line, reason)]) from error
    if not isinstance(content, dict):
        raise MappingError([MappingProblem(path, 1, "must hold a table of settings")])
    return Document(path, text, content)


@contextmanager
def say_problems(document: Document) -> Iterator[None]:
    """Turns what the models refuse into problems with file and line."""
    try:
        yield
    except ValidationError as error:
        root = yaml.compose(document.text, _Loader)
        problems = [
            MappingProblem(
                document.path,
                _line(root, detail["loc"]),
                f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}".removeprefix(": "),
            )
            for detail in error.errors()
        ]
        raise MappingError(problems) from error


def _line(node: Any, location: Sequence[int | str]) -> int:
    """The line of the deepest node on the way to ``location`` that the file has."""
    line = 1 if node is None else node.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(step)]
            if not found:
                continue
            line = found[0][0].start_mark.line + 1
            node = found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                break
            node = node.value[step]
            line = int(node.start_mark.line) + 1
    return line
