"""The role conditioner: one file per kind."""
