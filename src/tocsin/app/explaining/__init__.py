"""Why a rule found an event or did not, and what an exception would hide."""
