"""Edges: where access tokens come from and where they are kept."""
