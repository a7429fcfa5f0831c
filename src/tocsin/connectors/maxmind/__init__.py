"""Databases in MaxMind's format: where addresses are, and who operates their networks.

In: ``.mmdb`` files that somebody puts there. Out: facts on addresses, for enrichment.
"""
