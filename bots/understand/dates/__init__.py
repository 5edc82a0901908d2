"""Dates and times as people type them, in English."""

from bots.understand.dates.reading import When, parse

__all__ = ["When", "parse"]
