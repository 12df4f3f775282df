"""Language models behind an API, and the scripted ones for work without any."""
