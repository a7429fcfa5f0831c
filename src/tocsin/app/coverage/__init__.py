"""What of ATT&CK the rules cover, how surely, and what is missing."""
