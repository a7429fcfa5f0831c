"""Recognizes known bad and known sick in events by Sigma rules.

In: rule files, event batches. Out: a rule set with its problems, hits, findings, explanations.
"""
