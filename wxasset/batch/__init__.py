"""Run many calls with bounded, adaptive concurrency."""
