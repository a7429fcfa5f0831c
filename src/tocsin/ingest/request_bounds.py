"""How much a request may hold beside its bytes: records, and what is written with each of them."""

from collections.abc import Callable

from tocsin.ingest.errors import IngestError

MOST_RECORDS = 1_000_000
"""A record takes some 200 bytes of memory, however short it is: two in a body of 64 MiB may be."""
MOST_REPEATED_BYTES = 256 << 20
"""What is said once about many records; honest senders are far below."""


class RequestTooLarge(IngestError):
    """A body that is small enough holds too much."""


class RequestBounds:
    """Counts what one request holds; ``fault`` makes what is raised beyond the bounds."""

    def __init__(self, fault: Callable[[str], Exception] = RequestTooLarge) -> None:
        self._fault = fault
        self._records = 0
        self._repeated_bytes = 0

    def add(self, records: int, repeated_bytes: int = 0) -> None:
        """So many more records, and how many bytes are said once and written with each of them."""
        self._records += records
        self._repeated_bytes += records * repeated_bytes
        if self._records > MOST_RECORDS:
            raise self._fault(f"send at most {MOST_RECORDS:,} records in a request")
        if self._repeated_bytes > MOST_REPEATED_BYTES:
            raise self._fault(
                f"{repeated_bytes:,} bytes would be written with each of {records:,} records they "
                "are said of; send fewer records in a request, or say less about them"
            )
