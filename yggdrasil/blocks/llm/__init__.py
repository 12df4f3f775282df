"""Language models that run here, over transformers: as models for agents, and as blocks."""
