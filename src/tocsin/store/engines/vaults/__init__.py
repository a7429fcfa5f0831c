"""Content kept by its checksum, in a folder or a bucket."""
