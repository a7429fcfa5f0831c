"""What YAML files say, kept on disk by their content, so that a start need not parse them."""

import os
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import structlog
import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORM = 1
"""Raise this whenever a text comes to something else; what was kept before is then not used."""

_log = structlog.get_logger()


def parsed(text: str) -> Any:
    """What a YAML text says; raises ``yaml.YAMLError``."""
    return yaml.load(text, _Loader)  # noqa: S506 - a safe loader, the C one where it is


class ParsedFiles:
    """Parses texts, or knows from an earlier run what they say.

    What JSON can't hold as it is (dates, names that are numbers) is parsed each time.
    """

    def __init__(self, path: Path) -> None:
        """``path`` is where it is kept; absent or unreadable, it is empty."""
        self._path = path
        self._known = _read(path)
        self._used: dict[str, Any] = {}

    def parsed(self, text: str) -> Any:
        """As ``parsed``."""
        digest = blake2b(text.encode(), digest_size=16).hexdigest()
        if digest in self._known:
            self._used[digest] = self._known[digest]
            return self._known[digest]
        content = parsed(text)
        if _is_kept_as_it_is(content):
            self._used[digest] = content
        return content

    def keep(self) -> None:
        """Keep what was asked for, and nothing else; a full disk costs only the next start's time."""
        if self._used.keys() == self._known.keys():
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(orjson.dumps({"form": _FORM, "texts": self._used}))
                Path(name).replace(self._path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            _log.warning("parsed files not kept", path=str(self._path), reason=str(error))


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = orjson.loads(path.read_bytes())
        return dict(stored["texts"]) if stored["form"] == _FORM else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        _log.warning("parsed files ignored", path=str(path), reason=str(error))
        return {}


def _is_kept_as_it_is(content: Any) -> bool:
    try:
        return bool(orjson.loads(orjson.dumps(content)) == content)
    except (TypeError, ValueError):
        return False
