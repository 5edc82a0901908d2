"""The far side of every vendor, for tests and the demo. Imports nothing of ours, so it keeps us honest."""
