"""Brings the state's tables to the shape this version expects. In: a connection. Out: migrated tables."""
