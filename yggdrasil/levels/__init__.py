"""The levels of the canon: graph, pipeline, stage, world."""
