"""The engine: which rules match which events of a batch, by columns."""
