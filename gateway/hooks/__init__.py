"""Doors for providers and for the web chat. Routes only translate; the pipeline does the work."""
