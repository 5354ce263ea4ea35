"""Edges: files and the network."""
