"""Endpoints: one declared class each, with its route and response type. Pure."""
