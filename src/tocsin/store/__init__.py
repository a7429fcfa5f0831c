"""Keeps everything: four ports, each with one file an engine. In: batches, rows, bytes. Out: the same, found again."""
