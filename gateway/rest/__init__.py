"""The REST surfaces: routes declared once, dispatched, limited and documented from their declaration."""
