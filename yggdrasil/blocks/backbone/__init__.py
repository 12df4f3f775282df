"""The role backbone: one file per kind."""
