"""The spool: received records, flushed to disk before anybody is told they are safe."""
