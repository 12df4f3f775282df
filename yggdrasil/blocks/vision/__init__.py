"""Models that look: what a picture is of, what is where on it, what one would write under it."""
