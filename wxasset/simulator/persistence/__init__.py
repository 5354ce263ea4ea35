"""State of a simulator in a directory, kept across restarts.

All of this is chosen. A change is written before the response to its request: a killed process loses no acknowledged
upload. A loss of power can lose the last ones, since the disk is not waited for.
"""
