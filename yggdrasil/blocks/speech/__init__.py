"""Voices and ears that run here, over transformers."""
