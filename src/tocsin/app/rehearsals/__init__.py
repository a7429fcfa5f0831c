"""Plays the sample company's day on a running server."""
