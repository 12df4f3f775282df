"""The floor that keeps: journals, blobs, files."""
