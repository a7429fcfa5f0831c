"""Tocsin: the SecOps platform that security and IT operations share."""

__version__ = "0.1.0"
