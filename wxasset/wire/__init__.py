"""Pure: bytes and names on the wire. Nothing here awaits or touches a file."""
