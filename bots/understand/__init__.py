"""What a customer meant: plain functions from words to dates, answers, acts, intents and slots; no I/O, no state."""
