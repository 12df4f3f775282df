"""The role codec: one file per kind."""
