"""Fetches an archive of rules over https, bounded in size and checked against its hash."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tocsin.app.home.pack_content import PackRefused

LARGEST_DOWNLOAD_BYTES = 512 * 1024**2
_MOST_REDIRECTS = 5
_TIMEOUT_S = 60.0

OnProgress = Callable[[int, int | None], None]


@contextmanager
def downloaded(
    url: str, client: httpx2.Client | None = None, on_progress: OnProgress | None = None
) -> Iterator[Path]:
    """The archive at ``url`` as a file that is gone afterwards. Raises PackRefused.

    Every redirect must be https as well. ``on_progress(done, total)`` counts bytes.
    """
    own = client or httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=False)
    try:
        with tempfile.TemporaryDirectory(prefix="tocsin-pack-") as folder:
            path = Path(folder) / (url.rpartition("/")[2].partition("?")[0][:100] or "archive")
            try:
                _fetch(own, url, path, on_progress)
            except httpx2.HTTPError as error:
                raise PackRefused(f"{url} can't be fetched: {error}") from error
            yield path
    finally:
        if client is None:
            own.close()


def _fetch(client: httpx2.Client, url: str, path: Path, on_progress: OnProgress | None) -> None:
    for _ in range(_MOST_REDIRECTS + 1):
        if not url.startswith("https://"):
            raise PackRefused(f"{url}: packs are fetched over https only")
        with client.stream("GET", url) as answer:
            if answer.is_redirect and "location" in answer.headers:
                url = str(answer.url.join(answer.headers["location"]))
                continue
            if answer.is_error:
                raise PackRefused(f"{url} can't be fetched: status {answer.status_code}")
            _write(answer, path, on_progress)
            return
    raise PackRefused(f"{url}: more than {_MOST_REDIRECTS} redirects")


def _write(answer: httpx2.Response, path: Path, on_progress: OnProgress | None) -> None:
    told = answer.headers.get("content-length", "")
    total = int(told) if told.isdigit() else None
    done = 0
    with path.open("wb") as file:
        for piece in answer.iter_bytes(1 << 20):
            done += len(piece)
            if done > LARGEST_DOWNLOAD_BYTES:
                raise PackRefused(
                    f"{answer.url} is larger than {LARGEST_DOWNLOAD_BYTES // 1024**2} MiB"
                )
            file.write(piece)
            if on_progress is not None:
                on_progress(done, total)


def sha256_of(path: Path) -> str:
    """Lower-case hexadecimal, of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, wanted: str) -> None:
    """Raises PackRefused unless the file's SHA-256 is ``wanted``; empty: nothing is checked."""
    if wanted and sha256_of(path) != wanted.strip().lower():
        raise PackRefused(
            f"{path.name}: its SHA-256 is {sha256_of(path)}, not {wanted}: it is not the archive "
            "you expect, or it is damaged"
        )
