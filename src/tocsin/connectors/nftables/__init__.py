"""Blocks on this machine with nftables. In: addresses with an expiry. Out: set elements that time out."""
