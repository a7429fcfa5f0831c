"""Cuts inputs of any length and format into raw batches."""
