"""Bodies of senders' protocols taken apart into one record a line."""
