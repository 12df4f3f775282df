"""The role schedule: where a run begins."""
