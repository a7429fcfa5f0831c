"""The door for machines: /api/v1, ingest endpoints and feeds. In: HTTP requests. Out: JSON."""
