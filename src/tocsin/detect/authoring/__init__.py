"""Writing rules: drafts, lint, and the tests a rule carries."""
