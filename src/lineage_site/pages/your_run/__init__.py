"""Your run."""
