"""The role solver: one file per kind."""
