"""Measures the product: made-up traffic, and what each way takes of it."""
