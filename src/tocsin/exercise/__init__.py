"""Tests us on purpose: a sample company, and a day in it with an attack that must be told.

In: a moment, a number of events and a seed. Out: assets, raw vendor records, stages to be seen.
"""
