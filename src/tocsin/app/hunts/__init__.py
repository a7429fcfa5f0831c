"""Rules over files, offline: from paths to hits, in several processes."""
