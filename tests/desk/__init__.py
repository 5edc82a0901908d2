"""The desk, asked through its verbs, on both engines."""
