"""Listens for syslog and GELF, and hands on in batches what comes."""
