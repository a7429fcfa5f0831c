"""Correlates hits over event time: counts, values, order, absence, terms never seen before.

In: hits of match rules with their batches, watermarks. Out: correlated findings and corrections.
"""
