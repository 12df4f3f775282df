"""Doors for others: what runs here, served over a protocol."""
