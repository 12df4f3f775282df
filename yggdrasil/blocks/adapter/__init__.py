"""Adapters: small weights beside large ones."""
