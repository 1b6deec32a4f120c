"""Several networks at one budget: their results, and whether they differ."""
