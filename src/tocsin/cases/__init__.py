"""Keeps incidents from open to lessons learned.

In: alerts a person put together, and what everyone does about them. Out: cases with their
timeline, tasks and states.
"""
