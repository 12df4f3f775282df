"""Adapters: small weights beside large ones, an argument of the call."""
