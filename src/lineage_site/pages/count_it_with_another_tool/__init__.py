"""The page on other counters."""
