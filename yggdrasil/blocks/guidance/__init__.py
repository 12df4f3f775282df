"""The role guidance: one file per kind."""
