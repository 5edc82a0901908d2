"""What Frontdesk can do, measured, and what it survives: see README.md in this folder."""
