"""Language models, by provider."""
