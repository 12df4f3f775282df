"""The role tokenizer: one file per kind."""
