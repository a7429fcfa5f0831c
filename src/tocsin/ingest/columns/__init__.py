"""Payloads of JSON lines and of text read as columns, without a dictionary a record."""
