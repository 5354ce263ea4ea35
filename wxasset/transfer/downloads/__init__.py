"""Write downloads to files and other sinks."""
