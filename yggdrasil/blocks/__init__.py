"""The blocks: one small file per kind."""
