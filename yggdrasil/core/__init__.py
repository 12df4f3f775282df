"""Values, specs, plans and decisions: pure, with no clock, file, randomness or waiting."""
