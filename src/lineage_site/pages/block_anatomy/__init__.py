"""A block, line by line."""
