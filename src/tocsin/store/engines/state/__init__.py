"""State on SQLite or PostgreSQL, and the manifest kept in it."""
