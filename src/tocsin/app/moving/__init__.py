"""Moves state, events and segments to another engine or out of the house."""
