"""The floor that waits: calls, engine, wrappers, effects, registry."""
