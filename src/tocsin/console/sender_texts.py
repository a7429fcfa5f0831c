"""How senders are set up: the sections of docs/senders.md with this server's address and a token."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tocsin.app.home.shipped import CONTENT, PACKAGE

_PARTS = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
_EXAMPLE, _TOKEN = "tocsin.example", "toc_TOKEN"
_ADDRESS = re.compile(r'https://([^\s"@/]+@)?tocsin\.example(:443)?')
"""With whatever stands before the host, which may be the token, and with its port."""


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph or heading (``language`` None), or a block to copy."""

    text: str
    language: str | None = None
    is_heading: bool = False


@dataclass(frozen=True, slots=True)
class SenderText:
    """One kind of sender; ``slug`` names it in the address."""

    slug: str
    title: str
    parts: tuple[Part, ...]

    @property
    def needs_token(self) -> bool:
        return any(_TOKEN in part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Doors:
    """Where this server is reached: ``url`` without a path, and ports, 0 where there is none.

    ``syslog_port`` is that of TCP. ``listeners`` are the further ones of syslog: name, UDP, TCP.
    """

    url: str
    syslog_port: int
    syslog_udp_port: int = 0
    otlp_grpc_port: int = 0
    listeners: tuple[tuple[str, int, int], ...] = ()


def senders_file() -> Path:
    """The page in an installed package, else in the source tree."""
    shipped = CONTENT / "senders.md"
    return shipped if shipped.is_file() else PACKAGE.parents[1] / "docs" / "senders.md"


def read_senders(path: Path) -> list[SenderText]:
    """The sections that have something to copy, in their order; OSError when it can't be read."""
    sections = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = []
    for section in sections:
        title, _, body = section.partition("\n")
        parts = tuple(_parts(body))
        if any(part.language is not None for part in parts):
            found.append(SenderText(_slug(title), title.strip(), parts))
    return found


def fill(text: str, doors: Doors, token: str) -> str:
    """``text`` with the example's address, ports and token replaced; no token leaves its place."""
    parts = urlsplit(doors.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or "localhost"
    shown = f"[{host}]" if ":" in host else host
    place = doors.url.partition("://")[2]

    def address(found: re.Match[str]) -> str:
        return f"{parts.scheme}://{found[1] or ''}{f'{shown}:{port}' if found[2] else place}"

    text = _ADDRESS.sub(address, text).replace(_EXAMPLE, host)
    text = re.sub(r"\bport: 443\b", f"port: {port}", text)
    if parts.scheme != "https":
        text = re.sub(r"\btls: on\b", "tls: off", text)
    if syslog := doors.syslog_port or doors.syslog_udp_port:
        text = re.sub(r"\b5514\b", str(syslog), text)
    if doors.otlp_grpc_port:
        text = re.sub(r"\b4317\b", str(doors.otlp_grpc_port), text)
    return text.replace(_TOKEN, token or _TOKEN)


def _parts(body: str) -> Iterator[Part]:
    end = 0
    for block in _PARTS.finditer(body):
        yield from _paragraphs(body[end : block.start()])
        yield Part(block.group(2).rstrip("\n"), block.group(1))
        end = block.end()
    yield from _paragraphs(body[end:])


def _paragraphs(text: str) -> Iterator[Part]:
    for paragraph in re.split(r"\n\s*\n|^(?=###)|(?<=\n)(?=- )", text, flags=re.MULTILINE):
        heading, _, rest = paragraph.strip().partition("\n")
        if heading.startswith("### "):
            yield Part(heading.removeprefix("### "), is_heading=True)
            paragraph = rest
        if paragraph.strip():
            yield Part(" ".join(paragraph.split()))


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
