"""Events, hooks and log messages."""
