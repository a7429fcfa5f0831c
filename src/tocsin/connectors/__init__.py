"""One folder an outside system: its mapping, samples, source and actions.

In: the rooms' declared forms. Out: what is declared here, found by folder scan.
"""
