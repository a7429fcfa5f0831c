"""Folds findings into alerts, ranks entities and explains both.

In: findings, and an `AssetTiers` that knows how critical an entity is. Out: alerts and entity
risk, each with the addends that make its number.
"""
