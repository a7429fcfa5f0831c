"""Measures detection and proves its verdicts."""
