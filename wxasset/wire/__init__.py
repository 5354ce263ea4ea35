"""Bytes and names on the wire. Pure: no module awaits or accesses files."""
