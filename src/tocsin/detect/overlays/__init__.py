"""What people decide about rules beside their text: states, exceptions, notes, updates."""
