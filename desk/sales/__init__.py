"""Selling: deals, and what is billed."""
