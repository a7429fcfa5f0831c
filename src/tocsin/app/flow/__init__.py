"""The way of an event, turn by turn, with all that a turn needs to know and remembers."""
