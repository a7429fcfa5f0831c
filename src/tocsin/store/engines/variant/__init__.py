"""Native fields in Parquet's VARIANT layout, and back."""
