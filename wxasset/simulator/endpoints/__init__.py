"""Handlers of the simulated endpoints, one module per group."""
