"""Dates and times as people type them, in English."""

from bots.understand.dates.reading import Asked, When, parse

__all__ = ["Asked", "When", "parse"]
