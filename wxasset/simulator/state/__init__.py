"""State of the simulated account."""
