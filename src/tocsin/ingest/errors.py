"""What ingest raises."""


class IngestError(Exception):
    """Root of what ingest raises; says what, where and what to do."""
