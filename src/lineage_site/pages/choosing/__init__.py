"""Which backbone should I use?."""
