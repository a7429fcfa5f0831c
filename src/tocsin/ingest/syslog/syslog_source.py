"""Names the source of a message after the host in its syslog header, or in its GELF object."""

import re

_MONTHS = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_HOST = re.compile(
    rb"<\d{1,3}>(?:1 \S{1,40} |" + _MONTHS + rb" {1,2}\d{1,2} (?:\d{4} )?[\d:.]{8,18} "
    rb"|\d{4}-\d\d-\d\dT\S{8,24} )([A-Za-z0-9][A-Za-z0-9._-]{0,252}) "
)
_GELF_HOST = re.compile(rb'"host"\s*:\s*"([A-Za-z0-9][A-Za-z0-9._-]{0,252})"')
_GELF_ONLY = b'"short_message"'
PREFIX = "syslog/"


class SourceNames:
    """Gives each message its source name; remembers a bounded number of host names.

    Beyond ``most`` hosts a message counts for its sender's address, so that nobody can fill the
    ledgers with invented names.
    """

    def __init__(self, most: int = 10_000, *, listener: str = "") -> None:
        """``listener`` stands before the host in the names: ``syslog/<listener>/<host>``."""
        self._most = most
        self._prefix = f"{PREFIX}{listener}/" if listener else PREFIX
        self._known: dict[bytes, str] = {}

    def name(self, message: bytes, peer: str) -> str:
        found = _HOST.match(message)
        if found is None and message[:1] == b"{" and _GELF_ONLY in message:
            found = _GELF_HOST.search(message)
        if found is None:
            return self._prefix + peer
        return self._known.get(found[1]) or self._named(found[1], peer)

    def _named(self, host: bytes, peer: str) -> str:
        if len(self._known) >= self._most:
            return self._prefix + peer
        self._known[host] = name = self._prefix + host.decode("ascii")
        return name
