"""Follows log files through growth, rotation, truncation and restarts."""
