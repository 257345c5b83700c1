"""Measurements of the product: each prints a table and writes its results as JSON."""
