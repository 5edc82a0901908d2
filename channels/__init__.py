"""Vendors' words to our messages and back: one adapter for each channel, none of them known to the floors beside."""
