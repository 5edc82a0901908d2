"""Telephone calls: the doors, the turns of a call, and the line that a caller is on."""
