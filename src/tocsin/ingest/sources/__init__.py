"""The book of sources: what each sent, how often, when it fell silent, what could not be read."""
