"""Blocks through a list that firewalls poll. In: addresses with an expiry. Out: /feeds/blocklist.txt."""
