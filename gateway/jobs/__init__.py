"""Work that happens later: the worker, what it can do, and what falls due."""
