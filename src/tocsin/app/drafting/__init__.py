"""Drafts a person finishes: rules of a search, mappings of what nobody knows."""
