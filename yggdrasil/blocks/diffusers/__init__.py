"""Whole pipelines of diffusers, taken apart into blocks."""
