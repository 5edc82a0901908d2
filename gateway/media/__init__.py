"""Files that people send each other: taken in, looked at, kept, and handed out again by signed links."""
