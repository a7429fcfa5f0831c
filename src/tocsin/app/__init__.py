"""Puts the house together and says who may do what: the only room that knows all rooms.

In: settings and the rooms. Out: one wired `Tocsin` for the doors, access and the audit chain.
"""
