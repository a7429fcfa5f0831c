"""Tokens found good a moment ago: a sender's next request need not ask the store again."""

import threading
from datetime import datetime, timedelta

from tocsin.app.access.tokens import ApiToken, digest

TRUSTED = timedelta(seconds=1)
"""A token that another process revokes is refused so much later at most."""
_MOST = 10_000


class KnownTokens:
    """Good tokens by the digest of their secret, each for ``TRUSTED`` after it was looked up.

    Revoking a token in this process calls ``forget``, which holds for looks under way, too.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._looked_up: dict[str, tuple[ApiToken, datetime]] = {}
        self._forgotten = 0

    def of(self, secret: str, now: datetime) -> ApiToken | None:
        """The token when it was found good a moment ago and has not expired since.

        A clock set back makes it unknown: nobody can tell how long ago that was.
        """
        token, at = self._looked_up.get(digest(secret), (None, now))
        if token is None or token.expires_at <= now:
            return None
        return token if at <= now < at + TRUSTED else None

    def look(self) -> int:
        """To be called before the store is asked; what it answers goes to ``note`` with the token."""
        return self._forgotten

    def note(self, secret: str, token: ApiToken, look: int, now: datetime) -> None:
        """Keep a token that was found good at ``now``, unless one was revoked since ``look``."""
        with self._guard:
            if look != self._forgotten:
                return
            if len(self._looked_up) >= _MOST:
                self._looked_up.clear()
            self._looked_up[digest(secret)] = token, now

    def forget(self) -> None:
        with self._guard:
            self._forgotten += 1
            self._looked_up.clear()
