"""Looks whether sources and platform are well, and makes a trouble a finding and a task."""
