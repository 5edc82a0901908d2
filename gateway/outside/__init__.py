"""What we ask of the world outside, other than by a channel."""
