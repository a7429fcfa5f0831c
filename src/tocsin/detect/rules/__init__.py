"""What a rule is once it is read: its kinds, its conditions, and what they mean."""
