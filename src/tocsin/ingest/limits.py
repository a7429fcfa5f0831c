"""How large a record and a raw batch may be."""

RECORD_BYTES = 16 << 20
"""A longer record is kept in quarantine, whole, and not decoded."""
KEPT_BYTES = 128 << 20
"""A record longer than this is kept in pieces of this size."""
BATCH_BYTES = 4 << 20
"""So large because what reading a batch costs whatever its size is spread over its records."""
BATCH_RECORDS = 5_000
RECORD_DEPTH = 100
"""JSON nested deeper than this is kept in quarantine; Arrow and people both get lost there."""
