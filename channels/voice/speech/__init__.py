"""Words to sound and sound to words, for calls whose sound goes through us."""
