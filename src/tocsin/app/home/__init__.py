"""Where things lie: the data folder with its engines, what ships, installed packs, history to read."""
