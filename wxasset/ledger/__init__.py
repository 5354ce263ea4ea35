"""Record uploads so that they survive a crash."""
