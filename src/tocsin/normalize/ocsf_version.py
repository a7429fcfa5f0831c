"""The one OCSF schema version that every mapping speaks and every sample is held to."""

OCSF_VERSION = "1.8.0"
"""https://schema.ocsf.io/1.8.0 (the newest one that ``ocsf-json-schema`` 1.2 embeds)."""
