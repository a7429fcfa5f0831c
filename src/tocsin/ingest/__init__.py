"""Takes records in without losing one, and knows when a source falls silent. In: bytes from files, HTTP and syslog. Out: raw batches, decoded records, source ledgers, silence findings."""
