"""The scenario engine: pure, synchronous, and ignorant of text, databases and vendors."""
