"""The console, in a real browser over real rooms; what they share ends when the last has run."""
