"""Backups while running, their way back, and checks of what is kept."""
