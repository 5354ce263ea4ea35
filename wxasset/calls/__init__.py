"""Pure: one declared class per endpoint, with its route and its reply."""
