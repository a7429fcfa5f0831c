"""Events on ClickHouse, by the same port."""
