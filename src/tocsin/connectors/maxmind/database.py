"""One database in MaxMind's format (MaxMind DB 2.0), read from a copy nobody else writes to."""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import maxminddb


class GeoDatabase:
    """Where addresses are and who operates them; reads the file anew when it has changed.

    The file is copied into ``cache`` before it is mapped into memory: if the original were
    mapped, cutting it short in place would end the process. Never raises on a bad file.
    """

    def __init__(self, path: Path, cache: Path) -> None:
        self._path = path
        self._cache = cache
        self._seen: tuple[int, int, int] | None = None
        self._reader: maxminddb.Reader | None = None
        self._problem = f"{path}: not read yet"

    def refresh(self) -> bool:
        """Read the file if it is another than before; True when it was."""
        try:
            stat = self._path.stat()
            now = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError as error:
            return self._kept(None, f"can't be read: {error.strerror}; put a database there")
        if now == self._seen:
            return False
        try:
            copy = self._copied(now)
            reader = maxminddb.open_database(copy)
            reader.get("192.0.2.1")
        except OSError as error:
            return self._kept(now, f"can't be read: {error.strerror or error}")
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            return self._kept(now, f"is damaged or no MaxMind database: {error}; fetch it again")
        self._seen, self._reader, self._problem = now, reader, ""
        return True

    def problems(self) -> Sequence[str]:
        return [self._problem] if self._problem else []

    def facts(self, address: str) -> dict[str, str | int]:
        """Country (ISO 3166-1), region (3166-2), city, continent; number and name of the AS."""
        if self._reader is None:
            return {}
        try:
            record = self._reader.get(address.partition("%")[0])
        except ValueError:  # not an address, or IPv6 in a database of IPv4
            return {}
        except maxminddb.InvalidDatabaseError as error:
            self._reader = None
            self._problem = f"{self._path}: is damaged: {error}; fetch it again"
            return {}
        return _facts(record) if isinstance(record, dict) else {}

    def _kept(self, seen: tuple[int, int, int] | None, problem: str) -> bool:
        """Go on with what was read before, if anything was."""
        self._seen, self._problem = seen, f"{self._path}: {problem}"
        return False

    def _copied(self, version: tuple[int, int, int]) -> Path:
        place = hashlib.sha256(str(self._path.absolute()).encode()).hexdigest()[:16]
        copy = self._cache / f"{place}-{version[0]:x}-{version[1]:x}-{version[2]:x}.mmdb"
        if copy.exists():
            return copy
        self._cache.mkdir(parents=True, exist_ok=True)
        for former in self._cache.glob(f"{place}-*"):
            with suppress(OSError):
                former.unlink()
        part = copy.with_suffix(".part")
        shutil.copyfile(self._path, part)
        os.replace(part, copy)
        return copy


def _facts(record: Mapping[str, object]) -> dict[str, str | int]:
    country = _text(record, "country", "iso_code") or _text(
        record, "registered_country", "iso_code"
    )
    found: dict[str, str | int | None] = {
        "autonomous_system.number": _number(record.get("autonomous_system_number")),
        "autonomous_system.name": _text(record, "autonomous_system_organization"),
    }
    if country:
        part = _last(record.get("subdivisions"))
        region = _text(part, "iso_code")
        found |= {
            "location.country": country,
            "location.region": f"{country}-{region}" if region else None,
            "location.city": _text(record, "city", "names", "en"),
            "location.continent": _text(record, "continent", "names", "en"),
        }
    return {name: value for name, value in found.items() if value is not None}


def _text(record: object, *path: str) -> str | None:
    for step in path:
        record = record.get(step) if isinstance(record, Mapping) else None
    return record if isinstance(record, str) and record else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _last(value: object) -> object:
    return value[-1] if isinstance(value, list) and value else None
