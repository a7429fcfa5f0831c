"""Who may come in and what they may do, and the audit chain of what they did."""
