"""What brings records here or brings them again: followed files, pulls, webhooks, replays, mappings."""
