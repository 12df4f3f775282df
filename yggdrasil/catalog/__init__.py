"""Finds projects, names and templates."""
