"""The contracts, readable alone: what must be done, apart from how."""
