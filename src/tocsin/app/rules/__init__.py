"""The rules in force: which, in what state, what people decided about them, what they have seen."""
