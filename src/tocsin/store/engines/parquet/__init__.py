"""Events on Parquet segments: written, merged, known, searched with DuckDB, let go."""
