"""Read uploads from files, handles and streams."""
