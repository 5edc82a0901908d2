"""The tests: what others rely on, asked through the doors that they use."""
