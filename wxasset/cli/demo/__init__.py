"""The `demo` command: every call once, against the simulator or a real account."""
